// Finds a model folder's weights, whole or in shards, and reads them as the graph's parameters.
import { access, readFile, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelDType } from "../../config/model-dtypes.js";
import { BridleError } from "../../errors/error.js";
import { systemCode } from "../../errors/file-errors.js";
import type { Value } from "../../graph/index.js";
import { float32, size } from "../../runtime/tensor.js";
import type { Weight, Weights } from "../../runtime/weights.js";
import { parseBoundedJson } from "../../text/bounded-json.js";
import type { Family, ModelConfig } from "../family.js";
import { readSafetensorsHeader } from "./safetensors.js";
import { checkMapped, isMappable, isSameTensor, readFloat32, type StoredTensor } from "./stored.js";
import { readTorchHeader } from "./torch-file.js";

type ReadHeader = (file: string) => Promise<Map<string, StoredTensor>>;

/** Weight files in the order transformers looks for them; `.index.json` names shards. */
export const weightFiles: readonly { readonly name: string; readonly read: ReadHeader }[] = [
  { name: "model.safetensors", read: readSafetensorsHeader },
  { name: "model.safetensors.index.json", read: (file) => readShards(file, readSafetensorsHeader) },
  { name: "pytorch_model.bin", read: readTorchHeader },
  { name: "pytorch_model.bin.index.json", read: (file) => readShards(file, readTorchHeader) },
];

/** Weights of a quantized copy in a model folder, as `bridle quantize` writes them. */
export const quantizedFile = (dtype: Exclude<ModelDType, "fp32">) => `model.${dtype}.safetensors`;

/** An index of ten thousand shards has some hundred thousand values. */
const jsonLimits = { sizeBytes: 64 * 1024 * 1024, depth: 64, values: 2_000_000 };

/**
 * JSON of a model folder's file, or undefined when it is absent.
 * @throws FILE_INVALID when it is no JSON object
 */
export async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size > jsonLimits.sizeBytes) {
      const reason = `it has ${size} bytes, more than ${jsonLimits.sizeBytes}`;
      throw new BridleError("FILE_INVALID", { file, reason });
    }
    bytes = await readFile(file);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    if (cause instanceof BridleError) throw cause;
    throw new BridleError("FILE_INVALID", { file, reason: (cause as Error).message }, { cause });
  }
  const parsed = parseBoundedJson(bytes, jsonLimits);
  if ("problem" in parsed) throw new BridleError("FILE_INVALID", { file, reason: parsed.problem });
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BridleError("FILE_INVALID", { file, reason: "it holds no JSON object" });
  }
  return value as Record<string, unknown>;
}

async function readShards(index: string, read: ReadHeader): Promise<Map<string, StoredTensor>> {
  const map = (await readJson(index))?.weight_map;
  if (typeof map !== "object" || map === null) {
    throw new BridleError("FILE_INVALID", { file: index, reason: "it has no weight_map" });
  }
  const shards = new Map<string, Map<string, StoredTensor>>();
  const tensors = new Map<string, StoredTensor>();
  for (const [name, shard] of Object.entries(map as Record<string, unknown>)) {
    // A shard's name is data from outside: it must not lead out of the folder.
    if (typeof shard !== "string" || !/^\w[\w.-]{0,254}$/.test(shard)) {
      throw new BridleError("FILE_INVALID", {
        file: index,
        reason: `${name} is said to lie in ${JSON.stringify(shard)}, which is no file name`,
      });
    }
    const file = join(index, "..", shard);
    if (!shards.has(shard)) {
      try {
        shards.set(shard, await read(file));
      } catch (cause) {
        if (!(cause instanceof BridleError) || cause.code !== "FILE_NOT_FOUND") throw cause;
        throw new BridleError(
          "WEIGHTS_NOT_FOUND",
          { folder: join(index, ".."), looked: shard },
          { cause },
        );
      }
    }
    const tensor = shards.get(shard)?.get(name);
    if (tensor === undefined) {
      throw new BridleError("WEIGHTS_CORRUPT", {
        file,
        reason: `${name} is not in it, though the index says so`,
      });
    }
    tensors.set(name, tensor);
  }
  return tensors;
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/**
 * Headers of a folder's weights, by checkpoint name.
 * @throws WEIGHTS_NOT_FOUND, WEIGHTS_QUANTIZED, WEIGHTS_CORRUPT, PICKLE_FORBIDDEN, FILE_INVALID
 */
export async function readWeightHeaders(folder: string): Promise<Map<string, StoredTensor>> {
  for (const { name, read } of weightFiles) {
    const file = join(folder, name);
    if (await isThere(file)) return read(file);
  }
  for (const dtype of ["int8", "int4"] as const) {
    if (await isThere(join(folder, quantizedFile(dtype)))) {
      throw new BridleError("WEIGHTS_QUANTIZED", { folder, dtype });
    }
  }
  throw new BridleError("WEIGHTS_NOT_FOUND", {
    folder,
    looked: weightFiles.map(({ name }) => name).join(", "),
  });
}

/** Weights that belong to the output layer, whatever a checkpoint's others are named. */
const ofHead = new Set(["lm_head.weight", "final_logits_bias"]);

/**
 * Headers of a folder's weights by the names that the whole model has for them. A checkpoint in which none begins with the base's
 * prefix is one of the model without its output layer.
 * Source: transformers, `from_pretrained` with `base_model_prefix`.
 * @throws WEIGHTS_NOT_FOUND, WEIGHTS_QUANTIZED, WEIGHTS_CORRUPT, PICKLE_FORBIDDEN, FILE_INVALID
 */
async function readWholeHeaders(
  folder: string,
  basePrefix: string | undefined,
): Promise<Map<string, StoredTensor>> {
  const stored = await readWeightHeaders(folder);
  if (basePrefix === undefined) return stored;
  if ([...stored.keys()].some((name) => name.startsWith(basePrefix))) return stored;
  return new Map(
    [...stored].map(([own, tensor]) => {
      const name = ofHead.has(own) ? own : `${basePrefix}${own}`;
      return [name, { ...tensor, name }];
    }),
  );
}

/**
 * The config of a folder's model where its family goes by which of its tables the checkpoint holds apart.
 * @throws WEIGHTS_NOT_FOUND, WEIGHTS_QUANTIZED, WEIGHTS_CORRUPT, PICKLE_FORBIDDEN, FILE_INVALID
 */
export async function settleTables<C extends ModelConfig>(
  folder: string,
  family: Family<C>,
  config: C,
): Promise<C> {
  if (family.withOwnTables === undefined) return config;
  const stored = await readWholeHeaders(folder, family.basePrefix);
  const own = new Set<string>();
  for (const names of family.aliases(config).values()) {
    const [first, ...others] = names.flatMap((name) => stored.get(name) ?? []);
    for (const other of others) {
      if (first !== undefined && !(await isSameTensor(first, other))) own.add(other.name);
    }
  }
  return family.withOwnTables(config, own);
}

/** Where each parameter of a graph comes from: a stored tensor, or what the config makes of it. */
interface Located {
  readonly name: string;
  readonly dims: readonly number[];
  readonly from: StoredTensor | { readonly data: () => Float32Array };
}

/** @throws WEIGHT_MISSING, WEIGHT_UNEXPECTED, SHAPE_MISMATCH */
function locate<C extends ModelConfig>(
  stored: ReadonlyMap<string, StoredTensor>,
  family: Family<C>,
  config: C,
  parameters: readonly Value[],
): Located[] {
  const derived = family.derivedWeights(config);
  const aliases = family.aliases(config);
  const known = new Set([
    ...parameters.map(({ name }) => name),
    ...derived.keys(),
    ...[...aliases.values()].flat(),
    ...(family.unused ?? []),
  ]);
  const extra = [...stored.keys()].find((name) => !known.has(name));
  if (extra !== undefined)
    throw new BridleError("WEIGHT_UNEXPECTED", { name: extra, file: stored.get(extra)?.file });
  return parameters.map(({ name, shape }) => {
    const dims = shape.map(Number);
    const found = (aliases.get(name) ?? [name])
      .map((alias) => stored.get(alias))
      .find((tensor) => tensor !== undefined);
    if (found === undefined) {
      const made = derived.get(name);
      if (made === undefined) throw new BridleError("WEIGHT_MISSING", { name });
      return { name, dims, from: made };
    }
    const fits = found.shape.length === dims.length || name === "final_logits_bias";
    if (
      !fits ||
      size(found.shape) !== size(dims) ||
      (found.shape.length === dims.length && found.shape.some((dim, i) => dim !== dims[i]))
    ) {
      throw new BridleError("SHAPE_MISMATCH", {
        op: `weight ${name} of ${found.file}`,
        reason: `it is [${found.shape}], config.json needs [${dims}]`,
      });
    }
    return { name, dims, from: found };
  });
}

/**
 * Holds the headers of a folder's weights against what a graph needs, without reading the weights.
 * @returns the tensors by checkpoint name
 * @throws WEIGHTS_NOT_FOUND, WEIGHT_MISSING, WEIGHT_UNEXPECTED, SHAPE_MISMATCH, WEIGHTS_CORRUPT, PICKLE_FORBIDDEN
 */
export async function checkWeights<C extends ModelConfig>(
  folder: string,
  family: Family<C>,
  config: C,
  parameters: readonly Value[],
): Promise<Map<string, StoredTensor>> {
  const stored = await readWholeHeaders(folder, family.basePrefix);
  locate(stored, family, config, parameters);
  return stored;
}

/**
 * The parameters of a graph as float32: mapped where a file has them as they are used, else read, one tensor at a
 * time. Tied tensors are held once.
 * @throws WEIGHT_MISSING, WEIGHT_UNEXPECTED, SHAPE_MISMATCH, WEIGHTS_CORRUPT
 */
export async function readWeights<C extends ModelConfig>(
  folder: string,
  family: Family<C>,
  config: C,
  parameters: readonly Value[],
): Promise<Weights> {
  const stored = await readWholeHeaders(folder, family.basePrefix);
  const weights = new Map<string, Weight>();
  const places = new Map<string, string>();
  for (const { name, dims, from } of locate(stored, family, config, parameters)) {
    if ("data" in from) {
      weights.set(name, float32(from.data(), dims));
      continue;
    }
    const { file } = from;
    const real = places.get(file) ?? (await realpath(file));
    places.set(file, real);
    // One session maps files of one folder, as they lie on disk once links are followed.
    const [first = real] = places.values();
    if (isMappable(from) && dirname(real) === dirname(first)) {
      await checkMapped(from);
      weights.set(name, { dtype: "float32", shape: dims, file: real, offset: from.offset });
    } else {
      weights.set(name, float32(await readFloat32(from), dims));
    }
  }
  return weights;
}
