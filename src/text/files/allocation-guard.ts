// A ceiling on what pdf.js unpacks in a worker thread, whose resource limits leave typed arrays uncounted.

export interface AllocationGuard {
  /** Whether something was refused since the last call. */
  takeRefusal(): boolean;
}

/**
 * Makes `new Uint8Array(length)` and each `DecompressionStream` of this thread refuse more than `maxBytes`.
 * pdf.js unpacks a stream whole, natively or into an array that it doubles until all is in: 5 KB on disk can ask for
 * gigabytes, behind encryption and filters that cannot be looked through beforehand. To be called once, in a thread
 * that does nothing else.
 */
export function guardAllocations(maxBytes: number): AllocationGuard {
  let refused = false;
  const refuse = (): RangeError => {
    refused = true;
    return new RangeError("Array buffer allocation failed");
  };
  const PlainArray = globalThis.Uint8Array;
  const GuardedArray: Uint8ArrayConstructor = new Proxy(PlainArray, {
    construct(target, args: unknown[], newTarget): object {
      if (typeof args[0] === "number" && args[0] > maxBytes) throw refuse();
      return Reflect.construct(target, args, newTarget === GuardedArray ? target : newTarget);
    },
  });
  globalThis.Uint8Array = GuardedArray;

  const PlainStream = globalThis.DecompressionStream;
  globalThis.DecompressionStream = class extends PlainStream {
    #counted: ReadableStream | undefined;

    override get readable(): ReadableStream {
      let bytes = 0;
      this.#counted ??= super.readable.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            bytes += chunk.byteLength;
            if (bytes > maxBytes) throw refuse();
            controller.enqueue(chunk);
          },
        }),
      );
      return this.#counted;
    }
  };
  return {
    takeRefusal() {
      const was = refused;
      refused = false;
      return was;
    },
  };
}
