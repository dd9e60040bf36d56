// Where versions come from and what came of them: a family read in few statements, however large it is, and walked in memory.
import type { ModelCard, Parent } from "../package/card.js";
import type { SqlClient } from "../ports/database.js";
import { versionText } from "./version-name.js";

/** A version among what it comes from and what came of it. */
export interface LineageNode {
  /** `news:3`, or the name by which a model that is not registered was started from. */
  readonly name: string;
  readonly model: string | null;
  readonly version: number | null;
  readonly digest: string | null;
  readonly runId: string | null;
  readonly commit: string | null;
  readonly aliases: readonly string[];
}

export interface Lineage {
  readonly nodes: readonly LineageNode[];
  /** From a parent to what was trained from it, by name. */
  readonly edges: readonly { readonly from: string; readonly to: string }[];
  /** Whether the family is larger than what stands here: its farthest versions are left out. */
  readonly truncated: boolean;
}

/** Whose lineage: a version's, or that of all versions of a model. */
export interface LineageOf {
  readonly model: string;
  readonly version?: number;
}

/** More than anybody can read in one picture. */
export const mostVersions = 500;

/** A registered version and what ties it to others. */
interface Kin {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  readonly parent_digest: string | null;
}

const nameOf = ({ model, version }: Kin) => versionText(model, version);

/**
 * Everything that versions come from, and everything that came of them; of a family of more than `mostVersions` the nearest.
 * Three statements, whatever the size of the family.
 */
export async function readLineage(sql: SqlClient, of: LineageOf): Promise<Lineage> {
  const family = await readFamily(sql, of);
  const near = nearest(family, of);
  const lineages = await readCardLineages(sql, near);
  const aliases = await readAliasesOf(sql, near);
  const [isKin, byDigest] = [new Set(family.map(({ digest }) => digest)), groupByDigest(near)];
  const nodes = new Map<string, LineageNode>();
  const edges: { from: string; to: string }[] = [];
  for (const kin of near) {
    const { model, version, digest } = kin;
    const name = nameOf(kin);
    const { runId = null, commit = null, parent = null } = lineages.get(name) ?? {};
    const named = aliases.get(name) ?? [];
    nodes.set(name, { name, model, version, digest, runId, commit, aliases: named });
    if (parent === null) continue;
    const parents = asNamed(parent, byDigest.get(parent.digest ?? "") ?? []);
    for (const each of parents) edges.push({ from: nameOf(each), to: name });
    // A registered parent that is too far away to stand here is no stranger.
    if (isKin.has(parent.digest ?? "")) continue;
    const stranger =
      parent.version === null ? parent.name : versionText(parent.name, parent.version);
    edges.push({ from: stranger, to: name });
    const unknown = { model: null, version: null, runId: null, commit: null, aliases: [] };
    if (!nodes.has(stranger))
      nodes.set(stranger, { name: stranger, digest: parent.digest, ...unknown });
  }
  const seen = reached(near.filter((kin) => isOf(kin, of)).map(nameOf), edges);
  return {
    nodes: [...nodes.values()].filter(({ name }) => seen.has(name)),
    edges: edges.filter(({ from, to }) => seen.has(from) && seen.has(to)),
    truncated: near.length < family.length,
  };
}

const isOf = (kin: Kin, { model, version }: LineageOf) =>
  kin.model === model && (version === undefined || kin.version === version);

/** The versions that are meant, what they come from and what came of them, by hashes alone; the newest of a model first. */
async function readFamily(sql: SqlClient, { model, version }: LineageOf): Promise<readonly Kin[]> {
  const columns = ["model", "version", "digest", "parent_digest"];
  const told = columns.join(", ");
  const walk = (name: string, next: string) =>
    `${name} (${told}) AS (
       SELECT ${told} FROM registry_version
       WHERE model = $1 AND (CAST($2 AS BIGINT) IS NULL OR version = $2)
       UNION
       SELECT ${columns.map((column) => `v.${column}`).join(", ")}
       FROM ${name} JOIN registry_version v ON ${next}
     )`;
  const { rows } = await sql.query<Kin>(
    `WITH RECURSIVE ${walk("up", "v.digest = up.parent_digest")},
     ${walk("down", "v.parent_digest = down.digest")}
     SELECT ${told} FROM up UNION SELECT ${told} FROM down ORDER BY model, version DESC`,
    [model, version ?? null],
  );
  return rows;
}

function groupByDigest(family: readonly Kin[]): Map<string, Kin[]> {
  const groups = new Map<string, Kin[]>();
  for (const kin of family) groups.set(kin.digest, [...(groups.get(kin.digest) ?? []), kin]);
  return groups;
}

/** Those of a family that are the fewest steps away, up to a limit, the nearest first. */
function nearest(family: readonly Kin[], of: LineageOf): readonly Kin[] {
  const byDigest = groupByDigest(family);
  const children = new Map<string, Kin[]>();
  for (const kin of family) {
    if (kin.parent_digest === null) continue;
    const known = children.get(kin.parent_digest);
    if (known === undefined) children.set(kin.parent_digest, [kin]);
    else known.push(kin);
  }
  const near = new Set<Kin>();
  // A version may be reached from above and from below, and leads on in both ways then.
  const seen = { up: new Set<Kin>(), down: new Set<Kin>() };
  type Step = readonly [kin: Kin, way: "up" | "down"];
  const seeds = family.filter((kin) => isOf(kin, of));
  let steps: Step[] = [
    ...seeds.map((kin): Step => [kin, "up"]),
    ...seeds.map((kin): Step => [kin, "down"]),
  ];
  while (steps.length > 0) {
    const next: Step[] = [];
    for (const [kin, way] of steps) {
      if (seen[way].has(kin)) continue;
      if (!near.has(kin) && near.size === mostVersions) return [...near];
      seen[way].add(kin);
      near.add(kin);
      const others =
        way === "up" ? byDigest.get(kin.parent_digest ?? "") : children.get(kin.digest);
      for (const other of others ?? []) next.push([other, way]);
    }
    steps = next;
  }
  return [...near];
}

/** Of the versions with a parent's hash those under its name, where there are any: one package may have been added twice. */
function asNamed({ name }: Parent, known: readonly Kin[]): readonly Kin[] {
  const named = known.filter(({ model }) => model === name);
  return named.length > 0 ? named : known;
}

/** Names that edges lead to, up from some and down from them. */
function reached(
  names: readonly string[],
  edges: readonly { readonly from: string; readonly to: string }[],
): ReadonlySet<string> {
  const follow = (start: "to" | "from", end: "to" | "from") => {
    const next = new Map<string, string[]>();
    for (const edge of edges) {
      const known = next.get(edge[start]);
      if (known === undefined) next.set(edge[start], [edge[end]]);
      else known.push(edge[end]);
    }
    const seen = new Set(names);
    // What is added while it is walked is walked too.
    for (const name of seen) for (const other of next.get(name) ?? []) seen.add(other);
    return seen;
  };
  return new Set([...follow("to", "from"), ...follow("from", "to")]);
}

/** What the cards say of where versions come from, by name. */
async function readCardLineages(
  sql: SqlClient,
  of: readonly Kin[],
): Promise<ReadonlyMap<string, ModelCard["lineage"]>> {
  const digests = [...new Set(of.map(({ digest }) => digest))];
  if (digests.length === 0) return new Map();
  const { rows } = await sql.query<Kin & { readonly card: string }>(
    `SELECT model, version, card FROM registry_version WHERE digest IN (${places(digests)})`,
    digests,
  );
  return new Map(rows.map((row) => [nameOf(row), (JSON.parse(row.card) as ModelCard).lineage]));
}

/** The aliases that point at versions now, by the versions' names. */
async function readAliasesOf(
  sql: SqlClient,
  of: readonly Kin[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const models = [...new Set(of.map(({ model }) => model))];
  const aliases = new Map<string, string[]>();
  if (models.length === 0) return aliases;
  const { rows } = await sql.query<{ model: string; version: number; alias: string }>(
    `SELECT m.model, m.version, m.alias FROM registry_move m
     WHERE m.model IN (${places(models)})
       AND m.move = (SELECT MAX(n.move) FROM registry_move n WHERE n.model = m.model AND n.alias = m.alias)
     ORDER BY m.model, m.alias`,
    models,
  );
  for (const { model, version, alias } of rows) {
    const name = versionText(model, version);
    aliases.set(name, [...(aliases.get(name) ?? []), alias]);
  }
  return aliases;
}

const places = (values: readonly unknown[]) => values.map((_, index) => `$${index + 1}`).join(", ");
