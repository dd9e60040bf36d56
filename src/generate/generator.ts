// Generation with a model: what is asked for as searches, which a scheduler runs together with everybody else's.
import { dtypes, type Graph, joinHeads, rewriteGraph } from "../graph/index.js";
import type { Family, ModelConfig } from "../model/family.js";
import { checkedMask, checkTokenIds } from "../model/forward.js";
import { openSession, type Session, type SessionOptions } from "../runtime/session.js";
import { rowsShape, size } from "../runtime/tensor.js";
import type { Weights } from "../runtime/weights.js";
import { createBeamSearch } from "./beam.js";
import type { Allocate } from "./buffer-pool.js";
import { cacheInputs, encoderGraph, type MemoryPlan, stepGraph } from "./cache.js";
import { createDiverseBeamSearch } from "./diverse-beam.js";
import { readingsOf, type Source } from "./encoder-parts.js";
import { createGreedySearch } from "./greedy.js";
import { type GenerateOptions, type ResolvedOptions, resolveOptions } from "./options.js";
import {
  type BatchLimits,
  checkAborted,
  type EngineLoad,
  type JobPhases,
  type Priority,
  Scheduler,
} from "./scheduler.js";
import type { Search } from "./search.js";

export interface GenerateInput {
  /** [B][S], padded to equal length. */
  readonly inputIds: readonly (readonly number[])[];
  /** [B][S], 1 for a token and 0 for padding; all tokens unless given. */
  readonly attentionMask?: readonly (readonly number[])[] | undefined;
}

export interface GenerateResult {
  /** [B·numReturnSequences][T], padded to equal length; a document's sequences stand together, best first. */
  readonly sequences: number[][];
  /** Score of each sequence. */
  readonly scores: (number | undefined)[];
  /** [B·numReturnSequences][T−1]: the beam, counted through the batch, that each token came from; −1 after the end. */
  readonly beamIndices: number[][] | undefined;
}

export interface GenerateHooks {
  /** Whoever waits for an answer goes before what can wait; "interactive" unless said. */
  readonly priority?: Priority | undefined;
  /** Called when its turn has come. */
  readonly onStart?: (() => void) | undefined;
  /** Checked before every step. */
  readonly signal?: AbortSignal | undefined;
  /** Called after every step with the tokens of the first document that can no longer change. */
  readonly onTokens?: ((ids: readonly number[]) => void) | undefined;
  /** Called when it is done, or has failed, with where its time went. */
  readonly onPhases?: ((phases: JobPhases) => void) | undefined;
}

export interface Generator {
  /**
   * Calls under way together share the model's steps: each comes in when there is room and goes when it is done.
   * @throws INVALID_PARAMETER, SHAPE_MISMATCH, CANCELLED, LOGITS_INVALID when the model answers what is no number
   */
  generate(
    input: GenerateInput,
    options?: GenerateOptions,
    hooks?: GenerateHooks,
  ): Promise<GenerateResult>;
  /** What it is at work on now. */
  load(): EngineLoad;
  close(): Promise<void>;
}

function createSearch(options: ResolvedOptions, source: readonly number[], stream: number): Search {
  if (options.numBeamGroups > 1) return createDiverseBeamSearch(options, source);
  if (options.numBeams > 1) return createBeamSearch(options, source, stream);
  return createGreedySearch(options, source, stream);
}

/**
 * Makes a float32 graph one that uses the weights as they are given.
 * @param options.fewRows whether its products have few rows
 */
export type Adapt = (graph: Graph, options?: { readonly fewRows?: boolean }) => Graph;

/** How a model's graphs differ from those of its float32 weights. */
export interface Adaptation {
  readonly adapt?: Adapt;
  /** Which keys and values of cross-attention are whole numbers, on the CPU alone. */
  readonly memory?: MemoryPlan;
}

export interface GeneratorOptions extends SessionOptions, Adaptation {
  readonly limits?: BatchLimits | undefined;
  /** Where memory for keys and values comes from. */
  readonly allocate?: Allocate;
  /** The encoder's session, where that has begun to open. */
  readonly encoder?: Promise<Session> | undefined;
}

/** Opens the session of a model's encoder alone. */
export async function openEncoder<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  weights: Weights,
  { adapt = (graph) => graph, memory, ...options }: SessionOptions & Adaptation = {},
): Promise<Session> {
  const graph = encoderGraph(family, config, memory);
  const onCpu = (options.device ?? "cpu") === "cpu";
  const encoder = onCpu ? rewriteGraph(graph, joinHeads(graph)) : graph;
  return await openSession(adapt(encoder), weights, { ...options, label: "encoder" });
}

/** Two sessions; where one cannot be opened, neither stays open. */
async function openBoth(
  first: Promise<Session>,
  second: Promise<Session>,
): Promise<[Session, Session]> {
  try {
    return await Promise.all([first, second]);
  } catch (thrown) {
    for (const one of await Promise.allSettled([first, second]))
      if (one.status === "fulfilled") await one.value.close();
    throw thrown;
  }
}

/** Opens the encoder and step sessions of a model. */
export async function openGenerator<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  weights: Weights,
  options: GeneratorOptions = {},
): Promise<Generator> {
  const { limits, allocate, encoder: opening, ...adapted } = options;
  const { adapt = (graph) => graph, memory, ...rest } = adapted;
  const step = adapt(stepGraph(family, config, memory), { fewRows: true });
  const [encoder, decoder] = await openBoth(
    opening ?? openEncoder(family, config, weights, adapted),
    // A step has as many rows as beams: few enough that laying the weights out anew pays.
    openSession(step, weights, { ...rest, prepack: true, label: "decoder" }),
  );
  const inputs = cacheInputs(step);
  const stepWeightBytes = readBytes(step);
  const parts = { encoder, decoder, config, inputs, allocate, stepWeightBytes };
  const scheduler = new Scheduler(parts, limits);
  return {
    async generate(input, asked = {}, hooks = {}) {
      const options = resolveOptions(asked, config);
      const readings = readingsOf(sourcesOf(input, config), encoder.device);
      checkAborted(hooks.signal);
      const searches = input.inputIds.map((row, stream) => createSearch(options, row, stream));
      await scheduler.run({
        ...{ readings, searches, hooks, mostSteps: options.maxLength - 1 },
        mayBeInvalid: options.removeInvalidValues,
      });
      return collect(searches, options);
    },
    load: () => scheduler.load(),
    async close() {
      await scheduler.close();
      await encoder.close();
      await decoder.close();
    },
  };
}

/** Operators that read a few rows of a weight, rather than all of it. */
const lookups = new Set(["gather", "quantizedGather"]);

/** Bytes of the weights that a run of a graph reads whole. */
function readBytes({ nodes, parameters }: Graph): number {
  const read = new Set(nodes.flatMap(({ op, inputs }) => (lookups.has(op) ? [] : inputs)));
  return parameters
    .filter((parameter) => read.has(parameter))
    .reduce((sum, { shape, dtype }) => sum + size(shape.map(Number)) * dtypes[dtype].bytes, 0);
}

/**
 * A call's documents, each without the padding behind it.
 * @throws SHAPE_MISMATCH, INVALID_PARAMETER, INPUT_TOO_LONG
 */
function sourcesOf({ inputIds, attentionMask }: GenerateInput, config: ModelConfig): Source[] {
  rowsShape("inputIds", inputIds);
  checkTokenIds("inputIds", inputIds, config);
  const kept = checkedMask(inputIds, attentionMask);
  return inputIds.map((row, r) => {
    const mask = kept[r] as readonly number[];
    // Of a document that nothing is read of, attention sees all places alike.
    const length = mask.lastIndexOf(1) + 1 || row.length;
    const isWhole = mask.indexOf(0) < 0 || mask.indexOf(0) >= length;
    return { ids: row.slice(0, length), mask: isWhole ? undefined : mask.slice(0, length) };
  });
}

/**
 * What fills sequences up: the pad token, but in beam search the end token where the pad token is 0.
 * Source: transformers 5, `_beam_search`: `pad_token_id or eos_token_id[0]`.
 */
function fillerOf(options: ResolvedOptions): number {
  const beams = options.numBeams > 1 && options.numBeamGroups === 1;
  return beams && options.padTokenId === 0
    ? (options.eosTokenIds[0] as number)
    : options.padTokenId;
}

/** All sequences padded to the longest, as transformers returns them. */
function collect(searches: readonly Search[], options: ResolvedOptions): GenerateResult {
  const found = searches.flatMap((search, b) =>
    search.result().map((sequence) => ({ ...sequence, offset: b * search.width })),
  );
  const longest = Math.max(...found.map(({ ids }) => ids.length));
  const pad = (row: readonly number[], length: number, filler: number) => [
    ...row,
    ...new Array<number>(length - row.length).fill(filler),
  ];
  return {
    sequences: found.map(({ ids }) => pad(ids, longest, fillerOf(options))),
    scores: found.map(({ score }) => score),
    beamIndices: found.every(({ beams }) => beams !== undefined)
      ? found.map(({ beams = [], offset }) =>
          pad(
            beams.map((beam) => beam + offset),
            longest - 1,
            -1,
          ),
        )
      : undefined,
  };
}
