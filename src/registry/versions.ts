// Registered models and their versions, read: who is there, what an alias points at, where a version comes from.
import { BridleError } from "../errors/error.js";
import type { ModelCard } from "../package/card.js";
import type { EvaluationRecord } from "../package/evaluation-record.js";
import type { Database, SqlClient } from "../ports/database.js";
import type { GateResult } from "./gates.js";
import type { PackageStore } from "./package-store.js";
import type { VersionName } from "./version-name.js";

export interface RegistryContext {
  readonly database: Database;
  readonly packages: PackageStore;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface ModelVersion {
  readonly model: string;
  /** From 1 on, without gaps. */
  readonly version: number;
  /** Of its package: what the version is, byte for byte. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly card: ModelCard;
  readonly note: string | null;
  readonly createdAt: string;
  readonly createdBy: string;
  /** When its files were deleted; null while they are there. */
  readonly collectedAt: string | null;
  /** Aliases that point at it now. */
  readonly aliases: readonly string[];
  /** DVC's ids of the data it was trained on, which `bridle data gc` keeps. */
  readonly dataObjects: readonly string[];
}

export interface AliasState {
  readonly alias: string;
  readonly version: number;
  /** Counts the moves of the alias, from 1; another move is another number. */
  readonly move: number;
  readonly movedAt: string;
  readonly movedBy: string;
}

export interface RegisteredModel {
  readonly name: string;
  readonly lastVersion: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly aliases: readonly AliasState[];
}

/** One move of an alias. */
export interface Move {
  readonly model: string;
  readonly alias: string;
  readonly move: number;
  readonly version: number;
  /** Where the alias pointed before; null for its first move. */
  readonly previous: number | null;
  readonly action: "promote" | "rollback";
  /** Whether gates that did not pass were passed over. */
  readonly forced: boolean;
  readonly reason: string | null;
  readonly gates: readonly GateResult[];
  readonly movedAt: string;
  readonly movedBy: string;
}

interface VersionRow {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  readonly size_bytes: number;
  readonly card: string;
  readonly data_objects: string;
  readonly note: string | null;
  readonly created_at: number;
  readonly created_by: string;
  readonly collected_at: number | null;
}

interface MoveRow {
  readonly model: string;
  readonly alias: string;
  readonly move: number;
  readonly version: number;
  readonly previous: number | null;
  readonly action: Move["action"];
  readonly forced: number;
  readonly reason: string | null;
  readonly gates: string;
  readonly moved_at: number;
  readonly moved_by: string;
}

export const isoOf = (ms: number) => new Date(ms).toISOString();

const moveOf = ({ moved_at, moved_by, forced, gates, ...row }: MoveRow): Move => ({
  ...row,
  forced: forced === 1,
  gates: JSON.parse(gates) as GateResult[],
  movedAt: isoOf(moved_at),
  movedBy: moved_by,
});

function versionOf(row: VersionRow, aliases: readonly AliasState[]): ModelVersion {
  const { model, version, digest, note } = row;
  return {
    ...{ model, version, digest, note },
    sizeBytes: row.size_bytes,
    card: JSON.parse(row.card) as ModelCard,
    createdAt: isoOf(row.created_at),
    createdBy: row.created_by,
    collectedAt: row.collected_at === null ? null : isoOf(row.collected_at),
    aliases: aliases.filter((each) => each.version === version).map(({ alias }) => alias),
    dataObjects: JSON.parse(row.data_objects) as string[],
  };
}

/** Where every alias of a model points, by name. */
export async function readAliases(sql: SqlClient, model: string): Promise<AliasState[]> {
  const { rows } = await sql.query<MoveRow>(
    `SELECT m.alias, m.version, m.move, m.moved_at, m.moved_by FROM registry_move m
     WHERE m.model = $1 AND m.move = (SELECT MAX(n.move) FROM registry_move n WHERE n.model = m.model AND n.alias = m.alias)
     ORDER BY m.alias`,
    [model],
  );
  return rows.map(({ alias, version, move, moved_at, moved_by }) => ({
    ...{ alias, version, move },
    movedAt: isoOf(moved_at),
    movedBy: moved_by,
  }));
}

/** Every move of a model's aliases, each alias's in the order they were made, which its numbers tell and no clock can upset. */
export async function readMoves(sql: SqlClient, model: string, alias?: string): Promise<Move[]> {
  const { rows } = await sql.query<MoveRow>(
    `SELECT * FROM registry_move WHERE model = $1 AND (CAST($2 AS TEXT) IS NULL OR alias = $2)
     ORDER BY alias, move`,
    [model, alias ?? null],
  );
  return rows.map(moveOf);
}

/** Moves of several aliases for people, the newest first by the movers' clocks; those of one alias always in their order. */
export function newestFirst(moves: readonly Move[]): Move[] {
  const aliases = new Set(moves.map(({ alias }) => alias));
  const lists = [...aliases].map((alias) => moves.filter((each) => each.alias === alias));
  const ordered: Move[] = [];
  while (ordered.length < moves.length) {
    const newest = lists
      .filter((list) => list.length > 0)
      .reduce((one, other) => (other.at(-1)!.movedAt > one.at(-1)!.movedAt ? other : one));
    ordered.push(newest.pop()!);
  }
  return ordered;
}

const modelColumns = "name, last_version, created_at, created_by";
interface ModelRow {
  readonly name: string;
  readonly last_version: number;
  readonly created_at: number;
  readonly created_by: string;
}

async function modelOf(sql: SqlClient, row: ModelRow): Promise<RegisteredModel> {
  return {
    name: row.name,
    lastVersion: row.last_version,
    createdAt: isoOf(row.created_at),
    createdBy: row.created_by,
    aliases: await readAliases(sql, row.name),
  };
}

/** Every model, by name. */
export async function listModels({ database }: RegistryContext): Promise<RegisteredModel[]> {
  return await database.transaction(
    async (sql) => {
      const { rows } = await sql.query<ModelRow>(
        `SELECT ${modelColumns} FROM registry_model ORDER BY name`,
      );
      const models: RegisteredModel[] = [];
      for (const row of rows) models.push(await modelOf(sql, row));
      return models;
    },
    { readOnly: true },
  );
}

/** @throws MODEL_NOT_REGISTERED */
export async function getModel(
  sql: SqlClient,
  { database }: RegistryContext,
  name: string,
): Promise<RegisteredModel> {
  const { rows } = await sql.query<ModelRow>(
    `SELECT ${modelColumns} FROM registry_model WHERE name = $1`,
    [name],
  );
  const [row] = rows;
  if (row !== undefined) return await modelOf(sql, row);
  const all = await sql.query<ModelRow>("SELECT name FROM registry_model ORDER BY name LIMIT 20");
  throw new BridleError("MODEL_NOT_REGISTERED", {
    registry: database.name,
    model: name,
    available: all.rows.map((each) => each.name).join(", ") || "none",
  });
}

/** A model's versions, the newest first. */
export async function readVersions(sql: SqlClient, model: string): Promise<ModelVersion[]> {
  const aliases = await readAliases(sql, model);
  const { rows } = await sql.query<VersionRow>(
    "SELECT * FROM registry_version WHERE model = $1 ORDER BY version DESC",
    [model],
  );
  return rows.map((row) => versionOf(row, aliases));
}

/** Every version there ever was, by model, the newest first. */
export async function readAllVersions(sql: SqlClient): Promise<ModelVersion[]> {
  const { rows } = await sql.query<VersionRow>(
    "SELECT * FROM registry_version ORDER BY model, version DESC",
  );
  const aliases = new Map<string, readonly AliasState[]>();
  for (const model of new Set(rows.map((row) => row.model))) {
    aliases.set(model, await readAliases(sql, model));
  }
  return rows.map((row) => versionOf(row, aliases.get(row.model) ?? []));
}

/** @throws MODEL_NOT_REGISTERED, MODEL_VERSION_NOT_FOUND */
export async function getVersion(
  sql: SqlClient,
  context: RegistryContext,
  { model, at }: VersionName,
): Promise<ModelVersion> {
  const registered = await getModel(sql, context, model);
  const { aliases, lastVersion } = registered;
  const number =
    "version" in at ? at.version : aliases.find(({ alias }) => alias === at.alias)?.version;
  const found =
    number !== undefined &&
    (await sql.query<VersionRow>(
      "SELECT * FROM registry_version WHERE model = $1 AND version = $2",
      [model, number],
    ));
  const row = found ? found.rows[0] : undefined;
  if (row !== undefined) return versionOf(row, aliases);
  const named = aliases.map(({ alias }) => `@${alias}`).join(", ");
  throw new BridleError("MODEL_VERSION_NOT_FOUND", {
    model,
    what: "version" in at ? `version ${at.version}` : `alias ${at.alias}`,
    available: `versions 1 to ${lastVersion}${named === "" ? " and no alias" : ` and ${named}`}`,
  });
}

/** Versions whose package is this one, whatever the model. */
export async function findByDigest(sql: SqlClient, digest: string): Promise<ModelVersion[]> {
  const { rows } = await sql.query<VersionRow>(
    "SELECT * FROM registry_version WHERE digest = $1 ORDER BY model, version",
    [digest],
  );
  const found: ModelVersion[] = [];
  for (const row of rows) found.push(versionOf(row, await readAliases(sql, row.model)));
  return found;
}

/** DVC's ids of the data that versions which are there were trained on. */
export async function readDataObjects(sql: SqlClient): Promise<Set<string>> {
  const { rows } = await sql.query<{ data_objects: string }>(
    "SELECT data_objects FROM registry_version WHERE collected_at IS NULL",
  );
  return new Set(rows.flatMap(({ data_objects }) => JSON.parse(data_objects) as string[]));
}

/** What is recorded of how good a version is, the newest first. */
export async function readEvaluations(
  sql: SqlClient,
  model: string,
  version: number,
): Promise<(EvaluationRecord & { readonly recordedAt: string; readonly recordedBy: string })[]> {
  const { rows } = await sql.query<{ record: string; created_at: number; created_by: string }>(
    `SELECT record, created_at, created_by FROM registry_evaluation
     WHERE model = $1 AND version = $2 ORDER BY number DESC`,
    [model, version],
  );
  return rows.map(({ record, created_at, created_by }) => ({
    ...(JSON.parse(record) as EvaluationRecord),
    recordedAt: isoOf(created_at),
    recordedBy: created_by,
  }));
}

/** What is recorded of every version, by model and version, the newest first. */
export async function readAllEvaluations(sql: SqlClient): Promise<
  {
    readonly model: string;
    readonly version: number;
    readonly recordedAt: number;
    readonly record: EvaluationRecord;
  }[]
> {
  const { rows } = await sql.query<{
    model: string;
    version: number;
    record: string;
    created_at: number;
  }>(
    `SELECT model, version, record, created_at FROM registry_evaluation
     ORDER BY model, version DESC, number DESC`,
  );
  return rows.map(({ model, version, record, created_at: recordedAt }) => ({
    ...{ model, version, recordedAt },
    record: JSON.parse(record) as EvaluationRecord,
  }));
}
