// Threads that call onnxruntime, of which one may be begun before it is known what it is for.
import type { Worker } from "node:worker_threads";
import { forgetNativeCalls, type NativeCalls } from "./native-calls.js";

/** A thread, and what its calls of onnxruntime count among. */
export interface CountedThread {
  readonly worker: Worker;
  readonly calls: NativeCalls;
}

/** A thread is started with what its calls count among. */
type Start = (calls: NativeCalls) => Worker;

/** Of threads that do the same, the one that loads its code already and that nobody has taken yet. */
export class EarlyThread {
  private thread: CountedThread | undefined;
  private readonly callsOfNext: () => NativeCalls;

  /** @param callsOfNext what the calls of the next thread count among */
  constructor(callsOfNext: () => NativeCalls) {
    this.callsOfNext = callsOfNext;
  }

  private start(start: Start): CountedThread {
    const calls = this.callsOfNext();
    const worker = start(calls);
    worker.once("exit", () => forgetNativeCalls(calls));
    return { worker, calls };
  }

  /** Begins one where there is none. It keeps no process alive, and one that fails leaves it to the next to say why. */
  begin(start: Start): void {
    if (this.thread !== undefined) return;
    const thread = this.start(start);
    this.thread = thread;
    thread.worker.unref();
    const forget = () => {
      if (this.thread === thread) this.thread = undefined;
    };
    thread.worker.on("error", forget);
    thread.worker.once("exit", forget);
  }

  /** The one that was begun, which is nobody else's then; undefined where there is none. */
  takeBegun(): CountedThread | undefined {
    const { thread } = this;
    this.thread = undefined;
    return thread;
  }

  /** The one that was begun, or a new one; it keeps the process alive. */
  take(start: Start): CountedThread {
    const thread = this.takeBegun() ?? this.start(start);
    thread.worker.ref();
    return thread;
  }
}
