// Lets threads be ended only while onnxruntime does not run on them.
import { setTimeout as sleep } from "node:timers/promises";

/** Whether threads are to be ended; below it, how many calls are under way on them. */
const ending = 1 << 30;

/** Shared by threads that are ended together, and by who ends them. */
export type NativeCalls = Int32Array<SharedArrayBuffer>;

/** Those of this thread and of the threads it starts; undefined where nobody ends it. */
let own: NativeCalls | undefined;

/** Those of threads that run. */
const open = new Set<NativeCalls>();
let isListening = false;

/** For threads that are about to be started. A process that exits waits for them: it ends all its threads wherever they are. */
export function createNativeCalls(): NativeCalls {
  const calls: NativeCalls = new Int32Array(new SharedArrayBuffer(4));
  if (!isListening) process.once("exit", onExit);
  isListening = true;
  open.add(calls);
  return calls;
}

/** Calls of this thread count among these from now on. */
export function joinNativeCalls(calls: NativeCalls): void {
  own = calls;
}

/** What this thread's calls count among, for threads that it starts; made where there is none yet. */
export function ownNativeCalls(): NativeCalls {
  return own ?? createNativeCalls();
}

/**
 * A call of onnxruntime's. When a thread is ended meanwhile, what comes back can no longer be made into JavaScript, and
 * onnxruntime-node 1.30 aborts the process (`terminate called after throwing an instance of 'Napi::Error'`).
 */
export async function nativeCall<Result>(call: () => Promise<Result>): Promise<Result> {
  if (own === undefined) return await call();
  if (Atomics.add(own, 0, 1) & ending) {
    leave(own);
    // Whoever ends this thread does so soon. Blocking it would keep a call from its end that is to come back to it.
    return await new Promise<never>(() => {});
  }
  try {
    return await call();
  } finally {
    leave(own);
  }
}

function leave(calls: NativeCalls): void {
  Atomics.sub(calls, 0, 1);
  Atomics.notify(calls, 0);
}

/** A call takes seconds at most; one that does not come back is not waited for. */
const mostMs = 60_000;
const pollMs = 2;

/** Lets no more calls begin, and waits until none is under way, a minute at most: the threads may then be ended. */
export async function endNativeCalls(calls: NativeCalls): Promise<void> {
  Atomics.or(calls, 0, ending);
  const until = performance.now() + mostMs;
  while (Atomics.load(calls, 0) !== ending && performance.now() < until) await sleep(pollMs);
}

/** The threads have ended, whatever they were at. Those that others end are theirs to forget. */
export function forgetNativeCalls(calls: NativeCalls): void {
  if (calls === own) return;
  open.delete(calls);
  Atomics.store(calls, 0, ending);
  Atomics.notify(calls, 0);
}

function onExit(): void {
  for (const calls of open) Atomics.or(calls, 0, ending);
  const until = performance.now() + mostMs;
  for (const calls of open) {
    for (let left = until - performance.now(); left > 0; left = until - performance.now()) {
      const now = Atomics.load(calls, 0);
      if (now === ending) break;
      Atomics.wait(calls, 0, now, left);
    }
  }
}
