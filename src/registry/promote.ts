// Moves aliases: promotion through gates, rollback to what was there before, each compared with what the mover saw.
import { BridleError } from "../errors/error.js";
import type { SqlClient } from "../ports/database.js";
import { decideGates, type GateResult, type Gates, usualGates } from "./gates.js";
import { checkAliasName, productionAlias, versionText } from "./version-name.js";
import {
  getModel,
  getVersion,
  isoOf,
  type ModelVersion,
  type Move,
  type RegistryContext,
  readAliases,
  readEvaluations,
  readMoves,
} from "./versions.js";

export interface MoveOptions {
  /** `champion` unless said. */
  readonly alias?: string | undefined;
  /** Who moves it, for the history. */
  readonly by: string;
  /** Where the mover saw the alias: a version, or null for nowhere. The move is refused where it is elsewhere by now. */
  readonly expected?: number | null | undefined;
  readonly reason?: string | undefined;
}

export interface PromoteOptions extends MoveOptions {
  /** Moves it though gates do not pass; needs a reason. */
  readonly force?: boolean | undefined;
}

export interface Moved extends Move {
  /** False where the alias pointed there already, and nothing was written. */
  readonly changed: boolean;
}

/** What a mover saw when it began. */
export interface Sighting {
  readonly alias: string;
  readonly version: ModelVersion;
  /** Number of the alias's last move; 0 where there was none. */
  readonly move: number;
  readonly current: ModelVersion | undefined;
  readonly gates: readonly GateResult[];
}

/** Gates as they were set last. */
export async function readGates(sql: SqlClient, model: string): Promise<Gates> {
  const { rows } = await sql.query<{ gates: string }>(
    "SELECT gates FROM registry_gates WHERE model = $1 ORDER BY number DESC LIMIT 1",
    [model],
  );
  return rows[0] === undefined ? usualGates : (JSON.parse(rows[0].gates) as Gates);
}

/** Sets the gates of a model's promotions from now on. @throws MODEL_NOT_REGISTERED */
export async function setGates(
  context: RegistryContext,
  model: string,
  gates: Gates,
  by: string,
): Promise<void> {
  await context.database.transaction(async (sql) => {
    await getModel(sql, context, model);
    const last = await sql.query<{ number: number | null }>(
      "SELECT MAX(number) AS number FROM registry_gates WHERE model = $1",
      [model],
    );
    await sql.query(
      `INSERT INTO registry_gates (model, number, gates, created_at, created_by)
       VALUES ($1, $2, $3, $4, $5)`,
      [model, (last.rows[0]?.number ?? 0) + 1, JSON.stringify(gates), context.now(), by],
    );
  });
}

/** @throws MODEL_VERSION_COLLECTED */
export function checkThere({ model, version, collectedAt }: ModelVersion): void {
  if (collectedAt === null) return;
  throw new BridleError("MODEL_VERSION_COLLECTED", {
    model,
    version,
    date: collectedAt.slice(0, 10),
  });
}

function reasonFor({ force, reason }: PromoteOptions): string | null {
  const said = reason?.trim() ?? "";
  if (said.length > 2000) {
    const details = {
      parameter: "reason",
      value: `${said.length} characters`,
      expected: "at most 2000",
    };
    throw new BridleError("INVALID_PARAMETER", details);
  }
  if (force && said === "") {
    const expected = "said where gates are passed over, so that the history tells why";
    throw new BridleError("INVALID_PARAMETER", { parameter: "reason", value: "missing", expected });
  }
  return said === "" ? null : said;
}

/**
 * Looks at where an alias is, and decides the gates of moving it to a version.
 * @throws MODEL_NOT_REGISTERED, MODEL_VERSION_NOT_FOUND, MODEL_VERSION_COLLECTED, MODEL_NAME_INVALID, PROMOTION_CONFLICT
 */
export async function sight(
  context: RegistryContext,
  model: string,
  number: number,
  { alias: named = productionAlias, expected }: Pick<PromoteOptions, "alias" | "expected">,
): Promise<Sighting> {
  const alias = checkAliasName(named);
  return await context.database.transaction(
    async (sql) => {
      const version = await getVersion(sql, context, { model, at: { version: number } });
      checkThere(version);
      const state = (await readAliases(sql, model)).find((each) => each.alias === alias);
      const current =
        state && (await getVersion(sql, context, { model, at: { version: state.version } }));
      if (expected !== undefined && (state?.version ?? null) !== expected) {
        throw conflict(model, alias, `promoting version ${number}`, expected, state);
      }
      const gates = await readGates(sql, model);
      const evaluations = await readEvaluations(sql, model, number);
      // A version is not compared with itself: where it is already, nothing is decided.
      const results =
        gates.aliases.includes(alias) && current?.version !== number
          ? decideGates(gates, version, evaluations, current)
          : [];
      return { alias, version, move: state?.move ?? 0, current, gates: results };
    },
    { readOnly: true },
  );
}

function conflict(
  model: string,
  alias: string,
  what: string,
  expected: number | null,
  state:
    | { readonly version: number; readonly movedAt: string; readonly movedBy: string }
    | undefined,
): BridleError {
  return new BridleError("PROMOTION_CONFLICT", {
    ...{ model, alias, what },
    expected: expected === null ? "no version" : `version ${expected}`,
    actual: state === undefined ? "no version" : `version ${state.version}`,
    by: state?.movedBy ?? "nobody",
    at: state?.movedAt ?? "no time",
  });
}

/**
 * Points an alias at a version, where its gates pass and nobody moved it since it was looked at.
 * @throws what sight throws; PROMOTION_GATES_FAILED; PROMOTION_CONFLICT; INVALID_PARAMETER for a missing reason
 */
export async function promote(
  context: RegistryContext,
  model: string,
  number: number,
  options: PromoteOptions,
): Promise<Moved> {
  reasonFor(options);
  return await commit(context, await sight(context, model, number, options), options);
}

/** Moves the alias as it was sighted. @throws PROMOTION_GATES_FAILED, PROMOTION_CONFLICT, MODEL_VERSION_COLLECTED */
export async function commit(
  context: RegistryContext,
  sighting: Sighting,
  options: PromoteOptions,
): Promise<Moved> {
  const reason = reasonFor(options);
  const { version, current, gates, alias } = sighting;
  const failed = gates.filter(({ passed }) => !passed);
  if (failed.length > 0 && !options.force) throw gatesFailed(sighting, failed);
  return await move(context, sighting, {
    action: "promote",
    version: version.version,
    forced: failed.length > 0,
    ...{ reason, gates, alias, by: options.by, model: version.model },
    expected: current?.version ?? null,
  });
}

function gatesFailed(
  { version, current, alias }: Sighting,
  failed: readonly GateResult[],
): BridleError {
  const { model, version: number } = version;
  const name = versionText(model, number);
  const against = current === undefined ? "" : ` --against ${model}@${alias}`;
  return new BridleError("PROMOTION_GATES_FAILED", {
    ...{ model, version: number, alias },
    failed: failed.map(({ gate, told }) => `${gate} (${told})`).join("; "),
    next: `Evaluate and record it: \`bridle evaluate DATA --model ${name}${against} --json > e.json\`, \`bridle models promote ${name} --evaluation e.json\`.`,
  });
}

interface Wanted {
  readonly model: string;
  readonly alias: string;
  readonly version: number;
  readonly action: Move["action"];
  readonly forced: boolean;
  readonly reason: string | null;
  readonly gates: readonly GateResult[];
  readonly by: string;
  /** For the message of a conflict. */
  readonly expected: number | null;
}

/** Writes a move where the alias's last one is still the one that was seen. */
async function move(
  context: RegistryContext,
  seen: { readonly move: number },
  wanted: Wanted,
): Promise<Moved> {
  const { model, alias, version } = wanted;
  return await context.database.transaction(async (sql) => {
    const state = (await readAliases(sql, model)).find((each) => each.alias === alias);
    if ((state?.move ?? 0) !== seen.move) {
      const what = wanted.action === "promote" ? `promoting version ${version}` : "rolling it back";
      throw conflict(model, alias, what, wanted.expected, state);
    }
    checkThere(await getVersion(sql, context, { model, at: { version } }));
    if (state?.version === version) {
      const last = (await readMoves(sql, model, alias)).at(-1) as Move;
      return { ...last, changed: false };
    }
    const { action, forced, reason, gates, by } = wanted;
    const at = context.now();
    const previous = state?.version ?? null;
    await sql.query(
      `INSERT INTO registry_move (model, alias, move, version, previous, action, forced, reason, gates, moved_at, moved_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        ...[model, alias, seen.move + 1, version, previous, action],
        ...[forced ? 1 : 0, reason, JSON.stringify(gates), at, by],
      ],
    );
    return {
      ...{ model, alias, move: seen.move + 1, version, previous, action, forced, reason, gates },
      movedAt: isoOf(at),
      movedBy: by,
      changed: true,
    };
  });
}

/** Versions an alias can go back over, the present one last: a promotion adds one, a rollback takes those above away. */
export function standing(moves: readonly Pick<Move, "action" | "version">[]): number[] {
  const stack: number[] = [];
  for (const { action, version } of moves) {
    const below = action === "rollback" ? stack.lastIndexOf(version) : -1;
    if (below >= 0) stack.length = below + 1;
    else stack.push(version);
  }
  return stack;
}

/**
 * Points an alias back at what it pointed at before; again, at what was there before that. No gate is in the way.
 * @throws MODEL_NOT_REGISTERED, MODEL_VERSION_NOT_FOUND, ROLLBACK_IMPOSSIBLE, PROMOTION_CONFLICT
 */
export async function rollback(
  context: RegistryContext,
  model: string,
  { alias: named = productionAlias, by, expected, reason }: MoveOptions,
): Promise<Moved> {
  const alias = checkAliasName(named);
  const seen = await context.database.transaction(
    async (sql) => {
      const current = await getVersion(sql, context, { model, at: { alias } });
      const state = (await readAliases(sql, model)).find((each) => each.alias === alias);
      if (expected !== undefined && expected !== current.version) {
        throw conflict(model, alias, "rolling it back", expected, state);
      }
      const stack = standing(await readMoves(sql, model, alias));
      const target = stack.at(-2);
      if (target === undefined) {
        const why = `it points at version ${current.version}, and at nothing before that`;
        throw new BridleError("ROLLBACK_IMPOSSIBLE", { model, alias, reason: why });
      }
      const before = await getVersion(sql, context, { model, at: { version: target } });
      if (before.collectedAt !== null) {
        const why = `the files of version ${target}, where it pointed before, were deleted by gc`;
        throw new BridleError("ROLLBACK_IMPOSSIBLE", { model, alias, reason: why });
      }
      return { current, target, move: state?.move ?? 0 };
    },
    { readOnly: true },
  );
  return await move(context, seen, {
    ...{ model, alias, version: seen.target, action: "rollback", forced: false, gates: [], by },
    reason: reasonFor({ by, reason }),
    expected: seen.current.version,
  });
}
