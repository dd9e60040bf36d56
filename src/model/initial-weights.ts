// Weights of a model that starts from nothing, as transformers initializes them.
import type { Value } from "../graph/index.js";
import { float32, size } from "../runtime/tensor.js";
import type { HeldWeights } from "../runtime/weights.js";
import { seededRandom } from "../text/seeded-random.js";
import type { Family, ModelConfig } from "./family.js";

/** Standard normal numbers from a seed, by pairs. Source: Box and Muller 1958. */
function createNormal(seed: number): () => number {
  const random = seededRandom(seed);
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log((random.nextUint32() + 1) / 2 ** 32));
    const angle = (2 * Math.PI * random.nextUint32()) / 2 ** 32;
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/**
 * Weights for every parameter of a graph: as the family says, or norms 1, biases 0, the rest normal with a standard
 * deviation; the padding token's row of the embeddings 0.
 * @param deviation the config's `init_std`
 */
export function initialWeights<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  parameters: readonly Value[],
  { seed, deviation }: { readonly seed: number; readonly deviation: number },
): HeldWeights {
  const normal = createNormal(seed);
  const derived = family.derivedWeights(config);
  return new Map(
    parameters.map(({ name, shape }) => {
      const dims = shape.map(Number);
      const known = derived.get(name);
      if (known !== undefined) return [name, float32(known.data(), dims)];
      const data = new Float32Array(size(dims));
      const own = family.initial?.(config, name);
      if (own !== undefined) {
        for (let i = 0; i < data.length; i++) {
          data[i] = own.mean + (own.deviation > 0 ? normal() * own.deviation : 0);
        }
      } else if (/norm(_embedding)?\.weight$/.test(name)) data.fill(1);
      else if (!name.endsWith(".bias")) {
        for (let i = 0; i < data.length; i++) data[i] = normal() * deviation;
        const width = dims.at(-1) ?? 0;
        const { padTokenId } = config;
        if (/(shared|embed_tokens)\.weight$/.test(name))
          data.fill(0, padTokenId * width, (padTokenId + 1) * width);
      }
      return [name, float32(data, dims)];
    }),
  );
}

/**
 * First values of an adapter's parameters: A uniform within ±1/√in, B zero, so that the model starts as it was.
 * Source: PEFT, `LoraLayer.reset_lora_parameters`.
 */
export function initialLora(
  shapes: ReadonlyMap<string, readonly [number, number]>,
  seed: number,
): HeldWeights {
  const random = seededRandom(seed);
  return new Map(
    [...shapes].map(([name, shape]) => {
      const data = new Float32Array(size(shape));
      if (name.endsWith(".lora_A.weight")) {
        const bound = 1 / Math.sqrt(shape[1]);
        for (let i = 0; i < data.length; i++) {
          data[i] = (2 * (random.nextUint32() / 2 ** 32) - 1) * bound;
        }
      }
      return [name, float32(data, shape)];
    }),
  );
}
