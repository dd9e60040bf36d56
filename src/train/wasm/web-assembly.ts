// The part of the WebAssembly interface used here, typed: Node's own types leave it to the browser's.

export interface KernelMemory {
  readonly buffer: ArrayBuffer;
}

export type CompiledModule = { readonly module: unique symbol };

declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number }) => KernelMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => CompiledModule;
  readonly Instance: new (
    module: CompiledModule,
    imports: { env: { memory: KernelMemory } },
  ) => { readonly exports: Readonly<Record<string, (...values: number[]) => number>> };
};

export const pageBytes = 65_536;

/**
 * Memory of a fixed size, filled with zeros. It is not a shared one, because onnxruntime takes no views on those.
 * @throws RangeError where the system gives no more.
 */
export function createMemory(pages: number): KernelMemory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

export function compileModule(bytes: Uint8Array<ArrayBuffer>): CompiledModule {
  return new WebAssembly.Module(bytes);
}

/** What a module that imports `env.memory` exports. */
export function instantiate(module: CompiledModule, memory: KernelMemory) {
  return new WebAssembly.Instance(module, { env: { memory } }).exports;
}
