// A model opened from its folder: config, weights, forward pass and generation behind one object.
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { readJson, readWeights, settleTables } from "../model/checkpoint/folder.js";
import { saveModel } from "../model/checkpoint/save.js";
import { findFamily } from "../model/families.js";
import type { ModelConfig } from "../model/family.js";
import { type ForwardInput, feedsOf, forwardGraph, shiftRight } from "../model/forward.js";
import { batchFeeds, countLabels, gradientGraph, type LabelledBatch } from "../model/gradient.js";
import { type GradientSession, openGradients } from "../model/gradient-session.js";
import { checkLogits, crossEntropy } from "../model/loss.js";
import { summarizationTask } from "../model/prefix.js";
import type { Device } from "../runtime/devices.js";
import {
  chooseDevice,
  openSession,
  type Session,
  type SessionOptions,
} from "../runtime/session.js";
import type { Tensor } from "../runtime/tensor.js";
import { type HeldWeights, holdWeights, type Weights } from "../runtime/weights.js";
import { readGenerationDefaults } from "./generation-config.js";
import {
  type GenerateHooks,
  type GenerateInput,
  type GenerateResult,
  type Generator,
  openGenerator,
} from "./generator.js";
import type { GenerateOptions } from "./options.js";

export interface OpenModelOptions extends Omit<SessionOptions, "device"> {
  /** `auto` unless said: CUDA where it is installed and answers, else the CPU. */
  readonly device?: Device | "auto";
  /** What the weights are computed with. */
  readonly dtype?: "fp32";
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

/**
 * Opens a model folder in Hugging Face layout.
 * @throws INVALID_PARAMETER for a device or dtype that is none; FILE_INVALID, CONFIG_INVALID, ARCHITECTURE_NOT_SUPPORTED, WEIGHTS_NOT_FOUND, WEIGHTS_CORRUPT,
 * WEIGHT_MISSING, WEIGHT_UNEXPECTED, SHAPE_MISMATCH, PICKLE_FORBIDDEN, DEVICE_UNAVAILABLE
 */
export async function openModel(folder: string, asked: OpenModelOptions = {}): Promise<Model> {
  const { device = "auto", dtype = "fp32", ...rest } = asked;
  if (dtype !== "fp32") {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "dtype",
      value: JSON.stringify(dtype),
      expected: "fp32",
    });
  }
  const options = { ...rest, device: await chooseDevice(device) };
  const configFile = join(folder, "config.json");
  const json = await readJson(configFile);
  if (json === undefined)
    throw new BridleError("FILE_INVALID", { file: configFile, reason: "it is not there" });
  const family = findFamily(json);
  const config = await settleTables(folder, family, family.readConfig(json));
  const generationDefaults = await readGenerationDefaults(
    folder,
    json,
    family.usesTaskSettings === true ? summarizationTask(json) : {},
  );
  const graph = forwardGraph(family, config);
  const weights = await readWeights(folder, family, config, graph.parameters);
  let generator: Promise<Generator> | undefined;
  /** Sessions of the whole graph, without and with hidden states. */
  const scorers = new Map<boolean, Promise<Session>>();

  /** Sessions of the training graph, by label smoothing. */
  const differentiators = new Map<number, Promise<GradientSession>>();
  /** The weights in memory, where a training graph takes them from. */
  let held: Promise<HeldWeights> | undefined;

  function scorerOf(hiddenStates: boolean): Promise<Session> {
    let session = scorers.get(hiddenStates);
    if (session === undefined) {
      session = openSession(
        hiddenStates ? forwardGraph(family, config, { hiddenStates }) : graph,
        weights,
        options,
      );
      scorers.set(hiddenStates, session);
    }
    return session;
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
    let session = differentiators.get(labelSmoothing);
    if (session === undefined) {
      held ??= holdWeights(weights);
      session = openGradients(
        gradientGraph(family, config, { labelSmoothing }),
        await held,
        options,
      );
      differentiators.set(labelSmoothing, session);
    }
    const batch = { inputIds, attentionMask, labels };
    const answer = await (await session).run(batchFeeds(config, batch, 1 / countLabels(batch)));
    return answer.gradients;
  }

  return {
    config,
    device: options.device,
    generationDefaults,
    weights,
    forward,
    gradients,
    async generate(input, generateOptions, hooks) {
      generator ??= openGenerator(family, config, weights, options);
      return (await generator).generate(input, generateOptions, hooks);
    },
    save: (target) => saveModel(folder, weights, target),
    async close() {
      const opened = [generator, ...scorers.values(), ...differentiators.values()];
      // One that never opened has told so where it was asked for.
      for (const one of await Promise.allSettled(opened)) {
        if (one.status === "fulfilled") await one.value?.close();
      }
    },
  };
}
