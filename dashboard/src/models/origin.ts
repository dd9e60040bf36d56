// How a version came to be, as far as its card tells: data, the run that learned from them, and the aliases that point at it.
import type { Version } from "../api/registry.js";
import type { Graph } from "./lineage-layout.js";

/** The first digits of a content's hash are what its page goes by. */
const idDigits = 16;

export type Kind = "data" | "model" | "run" | "version" | "alias";

export interface OriginNode {
  /** Told apart by kind: a file may be called like an alias. */
  readonly name: string;
  readonly kind: Kind;
  readonly label: string;
  readonly note: string;
  readonly href: string | undefined;
}

/** What is known of how a version came to be. */
export function originOf({ model, version, card, aliases }: Version): Graph<OriginNode> {
  const { parent, runId, step } = card.lineage;
  const own = `version ${model}:${version}`;
  const run = runId === null ? undefined : `run ${runId}`;
  const nodes: OriginNode[] = [];
  const edges: { from: string; to: string }[] = [];
  // Where no run is recorded, what it learned from leads to the version itself.
  const learner = run ?? own;
  for (const { file, sha256 } of card.data) {
    const name = `data ${file}`;
    if (nodes.some((each) => each.name === name)) continue;
    const href = `/data/${sha256.slice(0, idDigits)}`;
    nodes.push({ name, kind: "data", label: nameOf(file), note: sha256.slice(0, 12), href });
    edges.push({ from: name, to: learner });
  }
  if (parent !== null) {
    const isRegistered = parent.version !== null;
    const label = isRegistered ? `${parent.name}:${parent.version}` : parent.name;
    const name = `model ${label}`;
    const href = isRegistered
      ? `/registry/${encodeURIComponent(parent.name)}/${parent.version}`
      : undefined;
    nodes.push({ name, kind: "model", label, note: "started from", href });
    edges.push({ from: name, to: learner });
  }
  if (run !== undefined && runId !== null) {
    const note = step === null ? "training" : `step ${step}`;
    const href = `/runs/${encodeURIComponent(runId)}`;
    nodes.push({ name: run, kind: "run", label: runId, note, href });
    edges.push({ from: run, to: own });
  }
  const label = `${model}:${version}`;
  nodes.push({ name: own, kind: "version", label, note: "this version", href: undefined });
  for (const alias of aliases) {
    const name = `alias ${alias}`;
    const href = `/registry/${encodeURIComponent(model)}`;
    nodes.push({ name, kind: "alias", label: alias, note: "points here now", href });
    edges.push({ from: own, to: name });
  }
  return { nodes, edges };
}

function nameOf(file: string): string {
  return file.split(/[\\/]/).findLast((part) => part !== "") ?? file;
}
