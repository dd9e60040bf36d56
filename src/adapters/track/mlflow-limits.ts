// What MLflow takes at most: lengths of keys and values, and how much in one request.
// Source: mlflow/utils/validation.py of MLflow 3.
import { createHash } from "node:crypto";

/** Entities of one kind in a request. */
const most = { metrics: 1000, params: 100, tags: 100 } as const;
/** MLflow refuses requests of more than 1 000 000 bytes; the rest is for what stands around the entities. */
const mostBytes = 900_000;
const keyLength = 250;
const valueLength = { param: 6000, tag: 5000 } as const;

/** Entities by requests, each within the limits. */
export function inPieces<Entity extends object>(
  entities: readonly Entity[],
  kind: keyof typeof most,
): readonly (readonly Entity[])[] {
  const pieces: Entity[][] = [];
  let bytes = 0;
  for (const entity of entities) {
    const own = Buffer.byteLength(JSON.stringify(entity)) + 1;
    const last = pieces.at(-1);
    if (last === undefined || last.length >= most[kind] || bytes + own > mostBytes) {
      pieces.push([entity]);
      bytes = own;
    } else {
      last.push(entity);
      bytes += own;
    }
  }
  return pieces;
}

/**
 * A key as MLflow takes it: letters, digits, `_ - . space : /`, a path that stays below where it begins, and not too
 * long. One that it does not take as it is ends in digits of its hash, so that no two keys become one.
 */
export function nameFor(key: string): string {
  const parts = key
    .replaceAll(/[^\p{L}\p{N}_\-. :/]/gu, "_")
    .split("/")
    .filter((part) => part !== "")
    .map((part) => part.replace(/^\.{1,2}$/, "_"));
  const plain = parts.join("/") || "_";
  const letters = Array.from(plain);
  if (plain === key && letters.length <= keyLength) return key;
  const mark = `-${createHash("sha256").update(key).digest("hex").slice(0, 8)}`;
  return letters.slice(0, keyLength - mark.length).join("") + mark;
}

/** A value no longer than it may be; what was cut off is in the run's files. */
export function shortened(value: string, kind: "param" | "tag"): string {
  const letters = Array.from(value);
  const limit = valueLength[kind];
  return letters.length <= limit ? value : `${letters.slice(0, limit - 1).join("")}…`;
}
