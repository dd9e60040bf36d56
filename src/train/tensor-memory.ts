// Where trained weights, gradients and optimizer state live: named tensors over WebAssembly memories, so that kernels work in place.
import { BridleError } from "../errors/error.js";
import { float32, size, type Tensor } from "../runtime/tensor.js";
import { bindKernels, type Kernels } from "./wasm/kernels.js";
import { createMemory, type KernelMemory, pageBytes } from "./wasm/web-assembly.js";

/** Float32 tensors by name; their elements are views on a TensorMemory. */
export type Tensors = ReadonlyMap<string, Tensor<"float32">>;

/** The tensors that are worked on together and so share a memory: a weight, its gradient, its state. */
export interface Bundle {
  readonly name: string;
  /** Shapes by part, such as weight, gradient, expAvg. */
  readonly parts: Readonly<Record<string, readonly number[]>>;
  /** Bytes a kernel needs for its own use while it works on this bundle. */
  readonly scratchBytes?: number;
}

export interface TensorMemory {
  /** The tensors of one part by their bundle's name, in the order of the bundles; those without the part left out. */
  tensors(part: string): Tensors;
  /** Bytes reserved over all memories. Pages never written to take up no RAM. */
  readonly sizeBytes: number;
  readonly memoryCount: number;
}

/** The kernels over the memory a view stands in, and that memory's scratch space. */
export interface Home {
  readonly kernels: Kernels;
  readonly buffer: ArrayBuffer;
  readonly scratchAddress: number;
  readonly scratchBytes: number;
}

export interface AllocationOptions {
  /** Most bytes of one memory; what is over goes to further memories, each bundle to one. */
  readonly limitBytes?: number;
  /** Asks the system for a memory of so many pages. */
  readonly create?: (pages: number) => KernelMemory;
}

/** Tensors start at multiples of a cache line. */
const alignment = 64;
const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;

/** Most that one memory holds: what 32-bit addresses reach. */
const memoryLimitBytes = 2 ** 32;

const homes = new WeakMap<object, Home>();

/**
 * Reserves all memory that the bundles need, zeroed. Sizes are final, because growing a memory would cut off its views.
 * @throws TENSOR_TOO_LARGE for a bundle that no memory holds, MEMORY_EXHAUSTED when the system gives no more.
 */
export function allocateTensors(
  bundles: readonly Bundle[],
  { limitBytes = memoryLimitBytes, create = createMemory }: AllocationOptions = {},
): TensorMemory {
  const shards: { bundles: Bundle[]; bytes: number; scratchBytes: number }[] = [];
  for (const bundle of bundles) {
    const bytes = Object.values(bundle.parts).reduce((sum, shape) => sum + tensorBytes(shape), 0);
    const scratchBytes = aligned(bundle.scratchBytes ?? 0);
    const last = shards.at(-1);
    const scratchThere = Math.max(last?.scratchBytes ?? 0, scratchBytes);
    if (last !== undefined && last.bytes + bytes + scratchThere <= limitBytes) {
      last.bundles.push(bundle);
      last.bytes += bytes;
      last.scratchBytes = scratchThere;
    } else if (bytes + scratchBytes <= limitBytes) {
      shards.push({ bundles: [bundle], bytes, scratchBytes });
    } else {
      throw new BridleError("TENSOR_TOO_LARGE", {
        name: bundle.name,
        neededMb: megabytes(bytes + scratchBytes),
        limitMb: megabytes(limitBytes),
      });
    }
  }
  const total = shards.reduce((sum, shard) => sum + pages(shard) * pageBytes, 0);
  const parts = new Map<string, Map<string, Tensor<"float32">>>();
  for (const shard of shards) {
    const memory = reserve(create, pages(shard), total);
    let address = 0;
    for (const bundle of shard.bundles) {
      for (const [part, shape] of Object.entries(bundle.parts)) {
        const tensors = parts.get(part) ?? new Map<string, Tensor<"float32">>();
        parts.set(part, tensors);
        const view = new Float32Array(memory.buffer, address, size(shape));
        tensors.set(bundle.name, float32(view, shape));
        address += tensorBytes(shape);
      }
    }
    homes.set(memory.buffer, {
      kernels: bindKernels(memory),
      buffer: memory.buffer,
      scratchAddress: address,
      scratchBytes: shard.scratchBytes,
    });
  }
  return {
    tensors: (part) => parts.get(part) ?? new Map(),
    sizeBytes: total,
    memoryCount: shards.length,
  };
}

/**
 * Where the views stand, so that a kernel can work on them at once.
 * @throws BUG when they stand outside a TensorMemory or in different memories: the code that made them is wrong.
 */
export function homeOf(first: Float32Array, ...others: readonly Float32Array[]): Home {
  const home = homes.get(first.buffer);
  if (home === undefined || others.some(({ buffer }) => buffer !== first.buffer)) {
    throw new BridleError("BUG", {
      reason: "a training kernel was given tensors that do not share a memory",
    });
  }
  return home;
}

function reserve(
  create: (pages: number) => KernelMemory,
  pageCount: number,
  totalBytes: number,
): KernelMemory {
  try {
    return create(pageCount);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BridleError(
      "MEMORY_EXHAUSTED",
      { neededMb: megabytes(totalBytes), reason },
      { cause },
    );
  }
}

const pages = (shard: { bytes: number; scratchBytes: number }) =>
  Math.ceil((shard.bytes + shard.scratchBytes) / pageBytes);
const tensorBytes = (shape: readonly number[]) => aligned(4 * size(shape));
const megabytes = (bytes: number) => Math.ceil(bytes / 1e6);
