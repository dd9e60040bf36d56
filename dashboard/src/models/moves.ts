// What the moves of aliases amount to: where each points, and where a rollback would take it.
import type { AliasState, Move } from "../api/registry.js";

/** The alias that says what is in production. */
export const production = "champion";

export function versionAt(aliases: readonly AliasState[], alias: string): number | null {
  return aliases.find((each) => each.alias === alias)?.version ?? null;
}

export interface WayBack {
  readonly alias: string;
  readonly version: number;
}

/**
 * Where each alias would go back to, the production one first; those without anything before are left out.
 * @param moves of all aliases, the newest of each first
 */
export function waysBack(moves: readonly Move[]): readonly WayBack[] {
  const aliases = [...new Set(moves.map(({ alias }) => alias))].sort(
    (a, b) => Number(b === production) - Number(a === production) || a.localeCompare(b),
  );
  return aliases.flatMap((alias) => {
    // A promotion adds one to what stands, a rollback takes away what is above it.
    const standing: number[] = [];
    for (const { action, version } of moves.filter((each) => each.alias === alias).reverse()) {
      const below = action === "rollback" ? standing.lastIndexOf(version) : -1;
      if (below >= 0) standing.length = below + 1;
      else standing.push(version);
    }
    const version = standing.at(-2);
    return version === undefined ? [] : [{ alias, version }];
  });
}
