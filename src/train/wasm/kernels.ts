// The kernels compiled once, and one running copy of them for each memory.
import {
  factoredMomentumUpdate,
  factoredSumSquares,
  factoredUpdate,
  sumRowAndColumnSquares,
} from "./adafactor-kernels.js";
import { assembleModule, type WasmFunction } from "./assembler.js";
import {
  adamw,
  addScaled,
  moveTowards,
  scale,
  sgd,
  sgdMomentum,
  sumSquares,
} from "./elementwise-kernels.js";
import { fillMask } from "./philox-kernel.js";
import {
  type CompiledModule,
  compileModule,
  instantiate,
  type KernelMemory,
} from "./web-assembly.js";

/** Every kernel by the name it is exported under. */
const kernels = {
  adamw,
  addScaled,
  factoredMomentumUpdate,
  factoredSumSquares,
  factoredUpdate,
  fillMask,
  moveTowards,
  scale,
  sgd,
  sgdMomentum,
  sumRowAndColumnSquares,
  sumSquares,
} as const satisfies Record<string, WasmFunction>;

type KernelName = keyof typeof kernels;

/** Takes byte addresses, counts and factors in the order of the kernel's signature; sums are answered. */
export type Kernels = Readonly<Record<KernelName, (...values: number[]) => number>>;

/** The module's bytes, for tools that look into them. */
export function assembleKernels(): Uint8Array<ArrayBuffer> {
  return assembleModule(Object.values(kernels));
}

let compiled: CompiledModule | undefined;

/** The kernels over one memory. Compiles on first use, in about a millisecond. */
export function bindKernels(memory: KernelMemory): Kernels {
  compiled ??= compileModule(assembleKernels());
  return instantiate(compiled, memory) as Kernels;
}
