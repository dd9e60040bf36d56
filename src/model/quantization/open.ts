// A model's weights as whole numbers: the copy that lies in its folder or the cache, made where there is none.
import { quantizedCache } from "../../config/state.js";
import type { Graph } from "../../graph/index.js";
import type { SessionOptions } from "../../runtime/session.js";
import type { Weights } from "../../runtime/weights.js";
import { wholeNumberProducts } from "../../runtime/whole-number-products.js";
import { readWeights } from "../checkpoint/folder.js";
import type { Family, ModelConfig } from "../family.js";
import { layersAbove, measureLayers, mostError } from "./calibrate.js";
import { type ProductType, planQuantization, type QuantizedDType } from "./plan.js";
import {
  adoptDraft,
  discardDraft,
  type Facts,
  findQuantized,
  makeDraft,
  makeQuantized,
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
  const found = await findQuantized(cache, facts);
  if (found !== undefined) return { ...found, isCached: true };
  const { family, config, graph } = settings;
  const weights = await readWeights(folder, family, config, graph.parameters);
  return { ...(await quantize(settings, facts, weights)), isCached: true };
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
  const draft = await makeDraft(cache, facts, weights, all, teller("rounding"));
  const attentions = Array.from({ length: config.decoderLayers }, (_, layer) =>
    family.crossAttention(layer),
  );
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
  if (kept.size === 0) return { ...(await adoptDraft(cache, facts, draft)), errors, kept };
  const plan = planQuantization(graph, dtype, config.vocabSize, kept);
  const again = teller("rounding-again");
  const made = await makeQuantized(cache, facts, weights, plan, exact, again);
  await discardDraft(draft);
  return { ...made, errors, kept };
}
