// The part of the WebAssembly interface used here, typed: Node's own types leave it to the browser's.

export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

export type CompiledModule = { readonly module: unique symbol };

declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => CompiledModule;
  readonly Instance: new (
    module: CompiledModule,
    imports: { env: { memory: SharedMemory } },
  ) => { readonly exports: Readonly<Record<string, (...values: number[]) => number>> };
};

export const pageBytes = 65_536;

/** Memory of a fixed size, filled with zeros, that other threads may be given. @throws RangeError where there is none. */
export function createMemory(pages: number): SharedMemory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

export function compileModule(bytes: Uint8Array<ArrayBuffer>): CompiledModule {
  return new WebAssembly.Module(bytes);
}

/** What a module that imports `env.memory` exports. */
export function instantiate(module: CompiledModule, memory: SharedMemory) {
  return new WebAssembly.Instance(module, { env: { memory } }).exports;
}
