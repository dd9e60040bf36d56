// Gives the memory of arrays back when they are done with, rather than when V8 next collects garbage.

/** Nobody listens: what is sent there is taken from its sender and gone. */
const nowhere = (() => {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return port1;
})();

/**
 * V8 collects garbage by the size of its own heap, in which an array of megabytes counts little: hundreds of megabytes that
 * nobody uses may lie around. Arrays released here are empty afterwards, and all others that share their memory.
 * Sending takes the memory away on every Node there is; `ArrayBuffer.transfer`, made for it, is there from Node 22 on, and slower.
 */
export function release(arrays: Iterable<ArrayBufferView>): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of arrays) if (buffer instanceof ArrayBuffer) buffers.add(buffer);
  if (buffers.size > 0) nowhere.postMessage(null, [...buffers]);
}
