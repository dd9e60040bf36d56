// Registered models: versions, cards, lineage, history, and the two actions that change what is in production.
import { get, readJson, send, withQuery } from "./http.js";
import { toProblem } from "./problem.js";

export interface AliasState {
  readonly alias: string;
  readonly version: number;
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

export interface BriefVersion {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly note: string | null;
  readonly createdAt: string;
  readonly createdBy: string;
  /** When its files were deleted; null while they are there. */
  readonly collectedAt: string | null;
  readonly aliases: readonly string[];
  readonly licence: string | null;
  readonly runId: string | null;
  readonly architecture: string;
}

export interface Gates {
  /** Aliases that a version reaches through these gates alone. */
  readonly aliases: readonly string[];
  readonly minimumRows: number;
  readonly mostFailed: number;
  readonly minimum: Readonly<Record<string, number>>;
  readonly againstCurrent: { readonly scores: readonly string[]; readonly margin: number } | null;
  readonly dataSha256?: string;
}

export interface ModelDetail extends RegisteredModel {
  /** The newest first. */
  readonly versions: readonly BriefVersion[];
  readonly gates: Gates;
}

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** F-measures in 0..1, or differences of them. */
export type Scores = Readonly<Record<"rouge1" | "rouge2" | "rougeL" | "rougeLsum", Interval>>;

export interface Evaluation {
  readonly data: string;
  readonly dataSha256: string | null;
  readonly rows: { readonly scored: number; readonly failed: number };
  readonly scores: Scores;
  readonly rivals: readonly {
    readonly model: string;
    readonly version: string;
    readonly difference: Scores;
  }[];
  readonly recordedAt: string;
  readonly recordedBy: string;
}

export interface LineageNode {
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
  /** Whether the family is larger than what stands here. */
  readonly truncated: boolean;
}

/** What goes into a model and what comes out. */
export interface Signature {
  readonly inputs: readonly SignatureField[];
  readonly outputs: readonly SignatureField[];
  readonly limits: {
    readonly maxInputTokens: number | null;
    readonly maxNewTokens: number | null;
    readonly vocabularySize: number;
  };
  /** Generation options where a caller says nothing. */
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly tensors: {
    readonly inputs: readonly TensorField[];
    readonly outputs: readonly TensorField[];
  };
}

export interface SignatureField {
  readonly name: string;
  readonly type: string;
  readonly required?: boolean;
}

export interface TensorField {
  readonly name: string;
  readonly dtype: string;
  /** -1 is any length. */
  readonly shape: readonly number[];
}

export interface Version extends Omit<BriefVersion, "licence" | "runId" | "architecture"> {
  readonly card: {
    readonly description: string | null;
    readonly intendedUse: string;
    readonly limitations: string;
    readonly licence: { readonly id: string | null; readonly source: string };
    readonly languages: readonly string[];
    readonly model: {
      readonly architecture: string;
      readonly parameters: number;
      readonly dtype: string;
      readonly fingerprint: string;
    };
    readonly lineage: {
      readonly parent: { readonly name: string; readonly version: number | null } | null;
      readonly runId: string | null;
      readonly commit: string | null;
      readonly seed: number | null;
      readonly step: number | null;
      readonly trainedAt: string | null;
    };
    readonly data: readonly { readonly file: string; readonly sha256: string }[];
    /** The evaluation that ended training, on validation rows. */
    readonly training: {
      readonly step: number;
      readonly loss: number | null;
      /** F-measures in 0..1. */
      readonly rouge: Readonly<Record<string, number>> | null;
    } | null;
    /** What was known of it when its package was made. */
    readonly evaluations: readonly {
      readonly data: string;
      readonly dataSha256: string | null;
      readonly rows: number;
      readonly scores: Scores;
    }[];
  };
  readonly evaluations: readonly Evaluation[];
  readonly lineage: Lineage;
  /** Null where its package cannot be read. */
  readonly signature: Signature | null;
}

export interface GateResult {
  readonly gate: string;
  readonly passed: boolean;
  readonly told: string;
}

/** One move of an alias. */
export interface Move {
  readonly model: string;
  readonly alias: string;
  readonly move: number;
  readonly version: number;
  readonly previous: number | null;
  readonly action: "promote" | "rollback";
  readonly forced: boolean;
  readonly reason: string | null;
  readonly gates: readonly GateResult[];
  readonly movedAt: string;
  readonly movedBy: string;
}

/** Undefined where this server has no registry, null where it does not answer. @throws Problem, also where it may not be read */
export async function listRegistered(
  signal: AbortSignal,
): Promise<{ readonly registered: readonly RegisteredModel[] | null | undefined }> {
  const { registered, registeredRefused } = await get<{
    registered?: readonly RegisteredModel[] | null;
    /** Why they are not told, as a problem document. */
    registeredRefused?: object;
  }>("/v1/models", signal);
  if (registeredRefused !== undefined) throw toProblem(registeredRefused);
  return { registered };
}

const modelPath = (name: string) => `/v1/models/${encodeURIComponent(name)}`;

/** @throws Problem, such as MODEL_NOT_REGISTERED */
export function getModel(name: string, signal: AbortSignal): Promise<ModelDetail> {
  return get(modelPath(name), signal);
}

/** @param version a number, or an alias. @throws Problem, such as MODEL_VERSION_NOT_FOUND */
export function getVersion(name: string, version: string, signal: AbortSignal): Promise<Version> {
  return get(`${modelPath(name)}/versions/${encodeURIComponent(version)}`, signal);
}

/** @throws Problem */
export function getLineage(name: string, signal: AbortSignal): Promise<Lineage> {
  return get(`${modelPath(name)}/lineage`, signal);
}

/** The newest first. @throws Problem */
export async function getHistory(
  name: string,
  signal: AbortSignal,
  alias?: string,
): Promise<readonly Move[]> {
  const path = withQuery(`${modelPath(name)}/history`, { alias });
  return (await get<{ moves: readonly Move[] }>(path, signal)).moves;
}

export interface MoveRequest {
  readonly alias: string;
  /** Where the person saw the alias; refused where it is elsewhere by now. */
  readonly expected: number | null;
  readonly reason?: string;
}

export interface PromoteRequest extends MoveRequest {
  readonly version: number;
  readonly force?: boolean;
}

/** @throws Problem: PROMOTION_GATES_FAILED, PROMOTION_CONFLICT, SCOPE_MISSING */
export function promote(name: string, request: PromoteRequest): Promise<Move> {
  return act(`${modelPath(name)}/promote`, request);
}

/** @throws Problem: ROLLBACK_IMPOSSIBLE, PROMOTION_CONFLICT, SCOPE_MISSING */
export function rollback(name: string, request: MoveRequest): Promise<Move> {
  return act(`${modelPath(name)}/rollback`, request);
}

/**
 * Changes something. A server without keys wants the token that only its own page can read, so that no other site's page
 * acts through this browser.
 */
async function act<T>(path: string, body: object): Promise<T> {
  const { signal } = new AbortController();
  const { csrfToken } = await get<{ csrfToken: string | null }>("/v1/session", signal);
  const response = await send(path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(csrfToken !== null && { "x-bridle-csrf": csrfToken }),
    },
    body: JSON.stringify(body),
  });
  return await readJson<T>(response, signal);
}
