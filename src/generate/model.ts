// A model opened from its folder: config, weights, forward pass and generation behind one object.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type ModelDType, modelDTypes } from "../config/model-dtypes.js";
import { packedCache } from "../config/state.js";
import { BridleError } from "../errors/error.js";
import { type Graph, quantizeWeights, rewriteGraph, withoutBiases } from "../graph/index.js";
import {
  quantizedFile,
  readJson,
  readWeights,
  settleTables,
  weightFiles,
} from "../model/checkpoint/folder.js";
import { saveModel } from "../model/checkpoint/save.js";
import { findFamily } from "../model/families.js";
import type { Family, ModelConfig } from "../model/family.js";
import { type ForwardInput, feedsOf, forwardGraph, shiftRight } from "../model/forward.js";
import { batchFeeds, countLabels, gradientGraph, type LabelledBatch } from "../model/gradient.js";
import { type GradientSession, openGradients } from "../model/gradient-session.js";
import { checkLogits, crossEntropy } from "../model/loss.js";
import { summarizationTask } from "../model/prefix.js";
import { calibrationTexts } from "../model/quantization/calibration-text.js";
import { openQuantized, type RoundingProgress } from "../model/quantization/open.js";
import { quantizedNamesIn } from "../model/quantization/store.js";
import type { Device } from "../runtime/devices.js";
import { openOnce } from "../runtime/open-once.js";
import {
  chooseDevice,
  openSession,
  type Session,
  type SessionOptions,
} from "../runtime/session.js";
import type { Tensor } from "../runtime/tensor.js";
import { type HeldWeights, holdWeights, readWeight, type Weights } from "../runtime/weights.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { readGenerationDefaults } from "./generation-config.js";
import {
  type Adapt,
  type Adaptation,
  type GenerateHooks,
  type GenerateInput,
  type GenerateResult,
  type Generator,
  openEncoder,
  openGenerator,
} from "./generator.js";
import type { GenerateOptions } from "./options.js";
import { createRandom } from "./random.js";
import type { BatchLimits, EngineLoad } from "./scheduler.js";

export interface OpenModelOptions
  extends Omit<SessionOptions, "device" | "ownThread" | "packedFolder"> {
  /** `auto` unless said: CUDA where it is installed and answers, else the CPU. */
  readonly device?: Device | "auto";
  /**
   * What the weights are computed with; a folder's own where it holds a quantized copy alone, else fp32. Whole numbers run
   * on the CPU. The first time a copy is made and kept under BRIDLE_HOME; later starts find it there.
   */
  readonly dtype?: ModelDType;
  /** How much generation runs together. */
  readonly limits?: BatchLimits;
  /**
   * Lets the encoder of whole-number weights have a thread of its own, where it begins to open at once. Should that thread die, it
   * ends the one that opened the model, as an error does that nobody catches.
   */
  readonly encoderThread?: boolean;
  /**
   * Writes weights as products want them laid out into a cache under BRIDLE_HOME, twice as much as the weights are, and maps them from
   * there: later starts are quicker, and processes that open the same model have one copy. Unless said, where the copy in whole numbers
   * lies in that cache as well.
   */
  readonly sharesWeights?: boolean;
  /** The folder's tokenizer, for whoever reads it anyway; where weights are rounded, what is wrong with it is told before. */
  readonly tokenizer?: () => Promise<Tokenizer>;
  /** Told how far the rounding of its weights is, where that is done for the first time. */
  readonly onRounding?: (progress: RoundingProgress) => void;
}

export interface ForwardResult {
  /** [B,S,D] */
  readonly encoderLastHidden: Tensor<"float32">;
  /** [B,T,V] */
  readonly logits: Tensor<"float32">;
  /** After the embedding and after each layer, where asked for. */
  readonly encoderHidden?: readonly Tensor<"float32">[];
  readonly decoderHidden?: readonly Tensor<"float32">[];
  /** Mean cross-entropy over the labels, where labels were given. */
  readonly loss?: number;
}

export interface ForwardOptions {
  /** Share of the probability that label smoothing spreads over the vocabulary, from 0 to 1. */
  readonly labelSmoothing?: number;
  /** Also answers the hidden states of every layer. */
  readonly hiddenStates?: boolean;
}

export interface Model {
  readonly config: ModelConfig;
  /** Where it runs. */
  readonly device: Device;
  /** What its weights are computed with. */
  readonly dtype: ModelDType;
  /** Options that the folder's generation_config.json (or an older config.json) sets. */
  readonly generationDefaults: GenerateOptions;
  readonly weights: Weights;
  /**
   * @throws SHAPE_MISMATCH; INVALID_PARAMETER for what is no token id, or when neither decoder inputs nor labels are
   * given; INPUT_TOO_LONG; LOGITS_INVALID when the model answers what is no number
   */
  forward(input: ForwardInput, options?: ForwardOptions): Promise<ForwardResult>;
  /**
   * The gradient of the mean loss over the labels with respect to every parameter that training learns, by Hugging Face
   * name, without dropout.
   * @throws SHAPE_MISMATCH; INVALID_PARAMETER for a token or label outside the vocabulary; INPUT_TOO_LONG
   */
  gradients(
    input: LabelledBatch,
    options?: { readonly labelSmoothing?: number },
  ): Promise<Map<string, Tensor<"float32">>>;
  /** Generates with the given options alone; spread `generationDefaults` into them for the folder's own. */
  generate(
    input: GenerateInput,
    options?: GenerateOptions,
    hooks?: GenerateHooks,
  ): Promise<GenerateResult>;
  /** What generation is at work on; undefined before the first call. */
  load(): EngineLoad | undefined;
  /** Writes the model as transformers' save_pretrained would. @throws WRITE_FAILED */
  save(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** @throws LOGITS_INVALID naming the row of the batch */
function checkAll({ data, shape: [, length = 0, vocabulary = 0] }: Tensor<"float32">): void {
  for (let at = 0; at < data.length; at += vocabulary) {
    checkLogits(data.subarray(at, at + vocabulary), Math.floor(at / (length * vocabulary)));
  }
}

function checkSmoothing(labelSmoothing: number): void {
  if (labelSmoothing >= 0 && labelSmoothing <= 1) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "labelSmoothing",
    value: labelSmoothing,
    expected: "from 0 to 1",
  });
}

/** The dtype asked for; unless said, that of the one quantized copy a folder without other weights holds. */
async function chooseDType(folder: string, asked: ModelDType | undefined): Promise<ModelDType> {
  if (asked !== undefined && !modelDTypes.includes(asked)) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "dtype",
      value: JSON.stringify(asked),
      expected: modelDTypes.join(", "),
    });
  }
  if (asked !== undefined) return asked;
  const names = new Set(await readdir(folder).catch(() => []));
  if (weightFiles.some(({ name }) => names.has(name))) return "fp32";
  return (["int8", "int4"] as const).find((dtype) => names.has(quantizedFile(dtype))) ?? "fp32";
}

/** The config, with tables that the weights tell apart; a quantized copy tells them where it lies there alone. */
async function settleConfig<C extends ModelConfig>(
  folder: string,
  family: Family<C>,
  config: C,
  dtype: ModelDType,
): Promise<C> {
  const copied = dtype === "fp32" ? undefined : await quantizedNamesIn(folder, dtype);
  if (copied === undefined) return settleTables(folder, family, config);
  const others = [...family.aliases(config).values()].flatMap((names) => names.slice(1));
  return (
    family.withOwnTables?.(config, new Set(others.filter((name) => copied.has(name)))) ?? config
  );
}

/** Weights as a dtype needs them, and what makes a float32 graph use them. */
async function readModelWeights<C extends ModelConfig>(
  folder: string,
  family: Family<C>,
  config: C,
  graph: Graph,
  dtype: ModelDType,
  {
    tokenizer,
    onRounding,
    ...session
  }: SessionOptions & Pick<OpenModelOptions, "tokenizer" | "onRounding">,
): Promise<{
  weights: Weights;
  adaptation: Adaptation & { readonly adapt: Adapt };
  isCached: boolean;
}> {
  if (dtype === "fp32") {
    const weights = await readWeights(folder, family, config, graph.parameters);
    const rule = withoutBiases(await findZeros(weights, family.fixed));
    const adapt: Adapt = (exact) => rewriteGraph(exact, rule);
    return { weights, adaptation: { adapt }, isCached: false };
  }
  const { weights, plan, product, exactMemory, isCached } = await openQuantized({
    ...{ folder, family, config, graph, dtype, session },
    calibration: () => calibrationDocuments(folder, config, tokenizer),
    onRounding,
  });
  const rule = withoutBiases(await findZeros(weights, family.fixed));
  const adapt: Adapt = (exact, { fewRows = false } = {}) => {
    const plain = rewriteGraph(exact, rule);
    return rewriteGraph(plain, quantizeWeights(plan, product, fewRows ? plain : undefined));
  };
  const memory = { type: product, exact: exactMemory };
  return { weights, adaptation: { adapt, memory }, isCached };
}

/** Those of the vectors that are named whose elements are all zero, as an output layer's bias that nobody learns mostly is. */
async function findZeros(weights: Weights, names: readonly string[]): Promise<Set<string>> {
  const zeros = new Set<string>();
  for (const name of names) {
    const weight = weights.get(name);
    if (weight?.shape.filter((size) => size !== 1).length !== 1) continue;
    const { data } = await readWeight(weight);
    if ((data as Float32Array).every((element) => element === 0)) zeros.add(name);
  }
  return zeros;
}

/** The folder's tokenizer; undefined where there is none. */
async function findTokenizer(folder: string): Promise<Tokenizer | undefined> {
  return await loadTokenizer(folder).catch((thrown: unknown) => {
    if (thrown instanceof BridleError && thrown.code === "TOKENIZER_NOT_FOUND") return undefined;
    throw thrown;
  });
}

/** Documents to measure layers on, as the model's own tokenizer cuts them; without one any tokens will do. */
async function calibrationDocuments(
  folder: string,
  config: ModelConfig,
  given: OpenModelOptions["tokenizer"],
): Promise<number[][]> {
  const tokenizer = (await (given ?? (() => findTokenizer(folder)))())?.within(config.vocabSize);
  if (tokenizer === undefined) {
    const length = Math.min(64, config.maxPositions ?? 64);
    return calibrationTexts.map((_, stream) => {
      const random = createRandom(0, stream);
      return Array.from({ length }, () => Math.floor(random() * config.vocabSize));
    });
  }
  return calibrationTexts.map((text) => tokenizer.encode(text));
}

/**
 * Opens a model folder in Hugging Face layout.
 * @throws INVALID_PARAMETER for a device or dtype that is none, or whole numbers on another device than the CPU; QUANTIZED_STALE; FILE_INVALID, CONFIG_INVALID, ARCHITECTURE_NOT_SUPPORTED, WEIGHTS_NOT_FOUND, WEIGHTS_CORRUPT,
 * WEIGHT_MISSING, WEIGHT_UNEXPECTED, SHAPE_MISMATCH, PICKLE_FORBIDDEN, DEVICE_UNAVAILABLE; what `tokenizer` throws, where weights are rounded
 */
export async function openModel(folder: string, asked: OpenModelOptions = {}): Promise<Model> {
  const {
    device: askedDevice = "auto",
    dtype: askedDType,
    encoderThread,
    sharesWeights,
    tokenizer,
    onRounding,
    ...rest
  } = asked;
  const dtype = await chooseDType(folder, askedDType);
  if (dtype !== "fp32" && askedDevice !== "auto" && askedDevice !== "cpu") {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "device",
      value: JSON.stringify(askedDevice),
      expected: `cpu with the dtype ${dtype}`,
    });
  }
  const device = await chooseDevice(dtype === "fp32" ? askedDevice : "cpu");
  // Whole-number products want their weights laid out anew whatever the number of rows.
  const options = { ...rest, device, ...(dtype !== "fp32" && { prepack: true }) };
  const configFile = join(folder, "config.json");
  const json = await readJson(configFile);
  if (json === undefined)
    throw new BridleError("FILE_INVALID", { file: configFile, reason: "it is not there" });
  const family = findFamily(json);
  const config = await settleConfig(folder, family, family.readConfig(json), dtype);
  const generationDefaults = await readGenerationDefaults(
    folder,
    json,
    family.usesTaskSettings === true ? summarizationTask(json) : {},
  );
  const whole = forwardGraph(family, config);
  const read = await readModelWeights(folder, family, config, whole, dtype, {
    ...options,
    ...(tokenizer && { tokenizer }),
    ...(onRounding && { onRounding }),
  });
  const { weights, adaptation } = read;
  const { adapt } = adaptation;
  /** What generates is laid out in files alone: the whole model, and what measures layers, are opened now and then. */
  const shared = (sharesWeights ?? read.isCached) ? { packedFolder: packedCache() } : {};
  const graph = adapt(whole);
  const generators = new Map<ModelDType, Promise<Generator>>();
  let opened: Generator | undefined;
  /** The encoder's session, from when it begins to open on its thread until a generator takes it over. */
  let encoder = encoderThread === true ? beginEncoder() : undefined;

  /** Begins to open the encoder on its thread. Weights that are not laid out anew are there in a moment: those have none. */
  function beginEncoder(): Promise<Session> | undefined {
    if (options.prepack !== true) return undefined;
    const opening = openEncoder(family, config, weights, {
      ...{ ...options, ...shared, ...adaptation },
      ownThread: true,
    });
    // What goes wrong is told to who asks first.
    opening.catch(() => {});
    return opening;
  }
  /** Sessions of the whole graph, without and with hidden states. */
  const scorers = new Map<boolean, Promise<Session>>();

  /** Sessions of the training graph, by label smoothing. */
  const differentiators = new Map<number, Promise<GradientSession>>();
  /** The weights in memory, where a training graph takes them from. */
  const held = new Map<"weights", Promise<HeldWeights>>();

  function scorerOf(hiddenStates: boolean): Promise<Session> {
    return openOnce(scorers, hiddenStates, () => {
      const scored = hiddenStates ? adapt(forwardGraph(family, config, { hiddenStates })) : graph;
      return openSession(scored, weights, options);
    });
  }

  async function forward(
    input: ForwardInput,
    { labelSmoothing = 0, hiddenStates = false }: ForwardOptions = {},
  ): Promise<ForwardResult> {
    const { inputIds, labels } = input;
    const decoderInputIds = input.decoderInputIds ?? (labels && shiftRight(labels, config));
    if (decoderInputIds === undefined) {
      throw new BridleError("INVALID_PARAMETER", {
        parameter: "decoderInputIds",
        value: "missing",
        expected: "given, or labels in their place",
      });
    }
    checkSmoothing(labelSmoothing);
    const session = await scorerOf(hiddenStates);
    const outputs = await session.run(
      feedsOf(config, inputIds, input.attentionMask, decoderInputIds),
    );
    checkAll(outputs.logits as Tensor<"float32">);
    const states = (side: string, layers: number) =>
      Array.from({ length: layers + 1 }, (_, i) => outputs[`${side}.${i}`] as Tensor<"float32">);
    const result = {
      logits: outputs.logits as Tensor<"float32">,
      encoderLastHidden: outputs.encoderLast as Tensor<"float32">,
      ...(hiddenStates && {
        encoderHidden: states("encoder", config.encoderLayers),
        decoderHidden: states("decoder", config.decoderLayers),
      }),
    };
    return labels === undefined
      ? result
      : { ...result, loss: crossEntropy(result.logits, labels, { labelSmoothing }) };
  }

  async function gradients(
    { inputIds, attentionMask, labels }: Omit<LabelledBatch, "encoderLabels">,
    { labelSmoothing = 0 }: { readonly labelSmoothing?: number } = {},
  ): Promise<Map<string, Tensor<"float32">>> {
    checkSmoothing(labelSmoothing);
    if (dtype !== "fp32") {
      throw new BridleError("INVALID_PARAMETER", {
        parameter: "dtype",
        value: JSON.stringify(dtype),
        expected: "fp32, since whole numbers have no gradient",
      });
    }
    const session = openOnce(differentiators, labelSmoothing, async () => {
      const inMemory = await openOnce(held, "weights", () => holdWeights(weights));
      return await openGradients(
        gradientGraph(family, config, { labelSmoothing }),
        inMemory,
        options,
      );
    });
    const batch = { inputIds, attentionMask, labels };
    const answer = await (await session).run(batchFeeds(config, batch, 1 / countLabels(batch)));
    return answer.gradients;
  }

  async function openedGenerator(): Promise<Generator> {
    const found = await openOnce(generators, dtype, () => {
      if (encoderThread === true) encoder ??= beginEncoder();
      const begun = encoder;
      encoder = undefined;
      const adapted = { ...options, ...shared, ...adaptation };
      return openGenerator(family, config, weights, { ...adapted, encoder: begun });
    });
    opened = found;
    return found;
  }

  return {
    config,
    device: options.device,
    dtype,
    generationDefaults,
    weights,
    forward,
    gradients,
    generate: async (input, generateOptions, hooks) =>
      await (await openedGenerator()).generate(input, generateOptions, hooks),
    load: () => opened?.load(),
    async save(target) {
      const { parameters } = whole;
      const exact =
        dtype === "fp32" ? weights : await readWeights(folder, family, config, parameters);
      await saveModel(folder, exact, target);
    },
    async close() {
      const opening = [generators, scorers, differentiators].flatMap((kept) => [...kept.values()]);
      const sessions = [...opening, encoder];
      // One that never opened has told so where it was asked for.
      for (const one of await Promise.allSettled(sessions)) {
        if (one.status === "fulfilled") await one.value?.close();
      }
    },
  };
}
