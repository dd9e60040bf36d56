// Looks for what does not fit together: versions without their files, files that are altered, aliases that point at nothing.
import type { PackageWork } from "../package/model-package.js";
import { packageDigests } from "./collect-garbage.js";
import { standing } from "./promote.js";
import { versionText } from "./version-name.js";
import { type RegistryContext, readAliases, readMoves, readVersions } from "./versions.js";

export interface RegistryFault {
  /** A fault costs answers or history; a leftover costs room on the disk, and gc takes it away. */
  readonly kind: "fault" | "leftover";
  readonly message: string;
  readonly next: string;
}

/** Everything that is wrong with a registry; every byte of every package is read. */
export async function checkRegistry(
  context: RegistryContext,
  work: Pick<PackageWork, "signal"> = {},
): Promise<{ readonly versions: number; readonly faults: RegistryFault[] }> {
  const { database, packages } = context;
  const faults: RegistryFault[] = [];
  const fault = (message: string, next: string) => faults.push({ kind: "fault", message, next });
  const read = await database.transaction(
    async (sql) => {
      const models = await sql.query<{ name: string; last_version: number }>(
        "SELECT name, last_version FROM registry_model ORDER BY name",
      );
      const found = [];
      for (const { name, last_version } of models.rows) {
        const versions = await readVersions(sql, name);
        const aliases = await readAliases(sql, name);
        found.push({ name, last_version, versions, aliases, moves: await readMoves(sql, name) });
      }
      const states = await sql.query<{ digest: string; state: string; claimed_until: number }>(
        "SELECT digest, state, claimed_until FROM registry_package",
      );
      return { found, states: states.rows };
    },
    { readOnly: true },
  );
  const named = new Map<string, string[]>();
  let count = 0;
  for (const { name, last_version, versions, aliases, moves } of read.found) {
    const restore = "Restore the database from a backup; nothing else writes these tables.";
    const numbers = versions.map(({ version }) => version).reverse();
    if (numbers.length !== last_version || numbers.some((number, i) => number !== i + 1)) {
      fault(`${name} has versions ${numbers.join(", ")} of ${last_version}`, restore);
    }
    for (const { alias, version } of aliases) {
      const found = versions.find((each) => each.version === version);
      const gone = found === undefined ? "is not there" : "lost its files to gc";
      if (found === undefined || found.collectedAt !== null) {
        fault(
          `${name}@${alias} points at version ${version}, which ${gone}`,
          `Promote a version that is there: \`bridle models promote ${name}:N --alias ${alias}\`.`,
        );
      }
      const own = moves.filter((each) => each.alias === alias);
      const isWhole = own.every(
        ({ move, previous }, i) => move === i + 1 && previous === (own[i - 1]?.version ?? null),
      );
      if (!isWhole) fault(`the history of ${name}@${alias} has a gap`, restore);
      if (standing(own).at(-1) !== version) {
        fault(`the history of ${name}@${alias} does not end at version ${version}`, restore);
      }
    }
    for (const { version, digest, collectedAt } of versions) {
      if (collectedAt !== null) continue;
      count++;
      named.set(digest, [...(named.get(digest) ?? []), versionText(name, version)]);
    }
  }
  for (const [digest, names] of named) {
    for (const { message } of await packages.findFaults(digest, work)) {
      const state = read.states.find((each) => each.digest === digest)?.state ?? "no state";
      const known = state === "stored" ? "" : ` (its state is ${state})`;
      fault(
        `${names.join(", ")}: ${message}${known}`,
        `Add the package again from an export: \`bridle models import FILE.tar --name ${names[0]?.split(":")[0]}\`; it mends version and files.`,
      );
    }
  }
  for (const digest of await packageDigests(context, work.signal)) {
    const state = read.states.find((each) => each.digest === digest);
    const isInWork = (state?.claimed_until ?? 0) > context.now();
    if (named.has(digest) || isInWork) continue;
    faults.push({
      kind: "leftover",
      message: `no version needs the package ${digest.slice(0, 12)}…`,
      next: "Take it away: `bridle models gc`.",
    });
  }
  return { versions: count, faults };
}
