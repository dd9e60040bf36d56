// A model's weights as whole numbers: the copy that lies in its folder or the cache, made where there is none.
import { quantizedCache } from "../../config/state.js";
import { BridleError } from "../../errors/error.js";
import { blockSize, type Graph, quantizedNames } from "../../graph/index.js";
import type { SessionOptions } from "../../runtime/session.js";
import type { Weight, Weights } from "../../runtime/weights.js";
import { wholeNumberProducts } from "../../runtime/whole-number-products.js";
import { readWeights } from "../checkpoint/folder.js";
import type { Family, ModelConfig } from "../family.js";
import { layersAbove, measureLayers, mostError } from "./calibrate.js";
import { type ProductType, planQuantization, type QuantizedDType } from "./plan.js";
import {
  adoptDraft,
  type Draft,
  discardDraft,
  type Facts,
  findQuantized,
  makeDraft,
  openQuantizedFolder,
  type QuantizedWeights,
  weightsHash,
} from "./store.js";

/** How far the rounding of a model's weights is. */
export interface RoundingProgress {
  readonly folder: string;
  readonly dtype: QuantizedDType;
  /** Tensors are rounded, documents measured; then tensors are rounded again where layers stay float32, and written. */
  readonly phase: "rounding" | "measuring" | "rounding-again" | "writing";
  readonly done: number;
  readonly total: number;
}

export interface QuantizeSettings<C extends ModelConfig> {
  readonly folder: string;
  readonly family: Family<C>;
  readonly config: C;
  /** The whole model in float32. */
  readonly graph: Graph;
  readonly dtype: QuantizedDType;
  /** Token ids of documents that layers are measured on; asked for only where a copy is made. */
  readonly calibration: () => Promise<readonly (readonly number[])[]>;
  readonly session?: SessionOptions;
  readonly cache?: string;
  /** How 8-bit weights lie; what this machine multiplies exactly unless said. */
  readonly product?: ProductType;
  /** Told how far a copy is that is being made. */
  readonly onRounding?: ((progress: RoundingProgress) => void) | undefined;
}

/** A copy that was made now, and what measuring it has found. */
export interface Quantized extends QuantizedWeights {
  /** Relative error of each layer's output, and of each cross-attention's. */
  readonly errors: ReadonlyMap<string, number>;
  /** Those whose error is too large: layers stay float32, of attentions their keys and values. */
  readonly kept: ReadonlySet<string>;
}

/** A copy, and whether it is one that was made on this machine, in the cache. */
export interface OpenedQuantized extends QuantizedWeights {
  readonly isCached: boolean;
}

/**
 * The copy that lies in the model's folder, else the cache's, else one made now.
 * @throws QUANTIZED_STALE, and what readWeights throws
 */
export async function openQuantized<C extends ModelConfig>(
  settings: QuantizeSettings<C>,
): Promise<OpenedQuantized> {
  const { folder, dtype, cache = quantizedCache() } = settings;
  const product = settings.product ?? (await wholeNumberProducts());
  const own = await openQuantizedFolder(folder, dtype, product, cache);
  if (own !== undefined) return { ...own, isCached: false };
  const facts: Facts = { weights: await weightsHash(folder, cache), dtype, product };
  const { family, config, graph } = settings;
  const found = await findQuantized(cache, facts);
  // A model may read the same weights by another config, and a file may have been damaged: such a copy is made anew.
  if (found !== undefined && isOf(found, graph)) return { ...found, isCached: true };
  const weights = await readWeights(folder, family, config, graph.parameters);
  return { ...(await quantize(settings, facts, weights)), isCached: true };
}

/** Whether a copy has all that a graph reads, in its shapes. */
function isOf({ weights, plan }: QuantizedWeights, graph: Graph): boolean {
  return graph.parameters.every(({ name, shape }) => {
    if (!plan.has(name)) return isShaped(weights.get(name), shape);
    const { rows, columns, blocks } = quantizedNames(name);
    const [out = 0, inner = 0] = shape.map(Number);
    const found = [
      [rows, [out, inner]],
      [columns, [inner, out]],
      [blocks, [out, inner / blockSize, blockSize / 2]],
    ] as const;
    const there = found.filter(([of]) => weights.has(of));
    return there.length > 0 && there.every(([of, wanted]) => isShaped(weights.get(of), wanted));
  });
}

function isShaped(weight: Weight | undefined, shape: readonly (number | string)[]): boolean {
  return weight !== undefined && weight.shape.join() === shape.join();
}

/** Makes a copy in the cache: of every layer, and again without those that suffer by it. */
export async function quantize<C extends ModelConfig>(
  {
    folder,
    family,
    config,
    graph,
    dtype,
    calibration,
    session,
    cache = quantizedCache(),
    onRounding,
  }: QuantizeSettings<C>,
  facts: Facts,
  weights: Weights,
): Promise<Quantized> {
  const all = planQuantization(graph, dtype, config.vocabSize);
  const teller = (phase: RoundingProgress["phase"]) => (done: number, total: number) =>
    onRounding?.({ folder, dtype, phase, done, total });
  // What is wrong with them is told before minutes are spent.
  const documents = await calibration();
  const draft = await makeDraft(cache, facts, weights, all, new Set(), teller("rounding"));
  const attentions = Array.from({ length: config.decoderLayers }, (_, layer) =>
    family.crossAttention(layer),
  );
  /** Under the hash that the weights had when they were begun to be read: they must have it still. */
  const adopt = async (made: Draft): Promise<QuantizedWeights> => {
    const now = await weightsHash(folder, cache).catch(() => "none");
    if (now === facts.weights)
      return await adoptDraft(cache, facts, made, (copy) => isOf(copy, graph));
    await discardDraft(made);
    throw new BridleError("WEIGHTS_CHANGED", { folder });
  };
  let errors: Map<string, number>;
  try {
    const measured = { ...session, onMeasured: teller("measuring") };
    errors = await measureLayers(config, graph, weights, draft, attentions, documents, measured);
  } catch (thrown) {
    await discardDraft(draft);
    throw thrown;
  }
  // Keys and values have 8 bits, whatever the weights have.
  const suffering = layersAbove(errors, mostError.int8);
  const exact = new Set(attentions.filter((attention) => suffering.has(attention)));
  const kept = new Set([...layersAbove(errors, mostError[dtype]), ...exact]);
  if (kept.size === 0) return { ...(await adopt(draft)), errors, kept };
  await discardDraft(draft);
  const plan = planQuantization(graph, dtype, config.vocabSize, kept);
  const again = teller("rounding-again");
  const made = await makeDraft(cache, facts, weights, plan, exact, again);
  return { ...(await adopt(made)), errors, kept };
}
