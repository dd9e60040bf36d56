// Gives the memory of arrays back when they are done with, rather than when V8 next collects garbage.

/** Nobody listens: what is sent there is taken from its sender and gone. */
const nowhere = (() => {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
})();

/**
 * An array that has outlived V8's quick collections counts little in the size of its heap, by which it collects the rest: hundreds
 * of megabytes that nobody uses may lie around. Arrays released here are empty afterwards, and all others that share their memory.
 * Those that are empty already, or shared by threads, are left alone.
 * Sending takes the memory away on every Node there is; `ArrayBuffer.transfer`, made for it, is there from Node 22 on, and slower.
 */
export function release(arrays: Iterable<ArrayBufferView>): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of arrays) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) buffers.add(buffer);
  }
  if (buffers.size > 0) nowhere.postMessage(null, [...buffers]);
}
