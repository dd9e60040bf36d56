// An onnxruntime session on a thread of its own, so that it opens while others do.
import { Worker } from "node:worker_threads";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { threadArguments } from "../config/thread-arguments.js";
import { BridleError } from "../errors/error.js";
import { EarlyThread } from "./early-thread.js";
import { type NativeCalls, ownNativeCalls } from "./native-calls.js";

/** What Bridle uses of an onnxruntime session. */
export interface NativeSession {
  /** @param fetches the outputs that are answered, with memory where they are to be written into some */
  run(
    feeds: Readonly<Record<string, OrtTensor>>,
    fetches: Readonly<Record<string, OrtTensor | null>>,
  ): Promise<Readonly<Record<string, SentTensor>>>;
  endProfiling(): void;
  release(): Promise<void>;
}

/** A tensor as it comes from another thread. */
export type SentTensor = Pick<OrtTensor, "type" | "dims" | "data">;

/** What the thread opens. */
export interface OpenedOnThread {
  readonly bytes: Uint8Array;
  readonly settings: InferenceSession.SessionOptions;
}

/** What the thread is started with. */
export interface SessionWorkerData {
  /** What its calls count among. */
  readonly calls: NativeCalls;
}

export type ToSession =
  /** Comes first, and once. */
  | ({ readonly type: "open" } & OpenedOnThread)
  | {
      readonly type: "run";
      readonly id: number;
      readonly feeds: Readonly<Record<string, SentTensor>>;
      readonly wanted: readonly string[];
    }
  | { readonly type: "release" };

export type FromSession =
  | { readonly type: "open" }
  | { readonly type: "done"; readonly id: number; readonly results: Record<string, SentTensor> }
  /** Without an id, opening has failed. */
  | { readonly type: "failed"; readonly id: number | undefined; readonly reason: string };

interface Waiting {
  resolve(results: Record<string, SentTensor>): void;
  reject(error: Error): void;
}

/** Starts a thread with what it is told. */
type Start = (workerData: SessionWorkerData) => Worker;

const startWorker: Start = (workerData) =>
  new Worker(new URL("./session-worker.js", import.meta.url), { workerData, ...threadArguments() });

const early = new EarlyThread(ownNativeCalls);

/**
 * Begins the thread of a session that will be opened soon: it loads onnxruntime while this one finds out what to open.
 * @param start how the thread is begun; as any session's unless said
 */
export function beginSessionThread(start: Start = startWorker): void {
  early.begin((calls) => start({ calls }));
}

/** A tensor for another thread. Of one that is part of some memory, all of that would be copied. */
function toSend({ type, dims, data }: OrtTensor): SentTensor {
  const elements = data as Float32Array;
  const isPart = elements.byteLength < elements.buffer.byteLength;
  return { type, dims, data: isPart ? elements.slice() : elements };
}

/**
 * Opens a model as `InferenceSession.create` does, with what can be sent to a thread. It keeps the process alive while it works
 * alone. Should its thread die, that ends the thread which opened it, as what nobody catches does: it could not answer again.
 * @throws RUN_FAILED with onnxruntime's words, as its runs do; WORKER_FAILED where its thread does not start
 */
export async function createOnThread(opened: OpenedOnThread): Promise<NativeSession> {
  const { worker } = early.take((calls) => startWorker({ calls }));
  const open: ToSession = { type: "open", ...opened };
  worker.postMessage(open);
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  /** Settles when the thread has ended, once that was asked for. */
  let ending: Promise<void> | undefined;
  /** Why it answers no more. */
  let dead: BridleError | undefined;
  const end = (why: BridleError) => {
    dead = why;
    for (const one of waiting.values()) one.reject(why);
    waiting.clear();
  };
  const closed = () => new BridleError("RUN_FAILED", { reason: "the session is closed" });
  await new Promise<void>((resolve, reject) => {
    let isOpen = false;
    let isRefused = false;
    const onDeath = (reason: string) => {
      if (ending !== undefined || isRefused || dead !== undefined) return;
      const error = new BridleError(isOpen ? "RUN_FAILED" : "WORKER_FAILED", { reason });
      end(error);
      reject(error);
      if (isOpen) throw error;
    };
    worker.on("error", (cause) => onDeath(cause.message));
    worker.on("messageerror", (cause) => {
      void worker.terminate();
      onDeath(cause.message);
    });
    worker.on("exit", (code) => onDeath(`its thread ended with code ${code}`));
    worker.on("message", (message: FromSession) => {
      if (message.type === "open") {
        isOpen = true;
        resolve();
      } else if (message.type === "failed" && message.id === undefined) {
        isRefused = true;
        reject(new BridleError("RUN_FAILED", { reason: message.reason }));
      } else {
        const id = message.id as number;
        const one = waiting.get(id);
        waiting.delete(id);
        if (message.type === "done") one?.resolve(message.results);
        else one?.reject(new BridleError("RUN_FAILED", { reason: message.reason }));
      }
      if (waiting.size === 0) worker.unref();
    });
  });
  const say = (message: ToSession) => worker.postMessage(message);
  return {
    async run(feeds, fetches) {
      if (dead !== undefined) throw dead;
      if (ending !== undefined) throw closed();
      const wanted = Object.keys(fetches);
      if (wanted.length === 0) return {};
      const id = nextId++;
      const sent = Object.entries(feeds).map(([name, tensor]) => [name, toSend(tensor)] as const);
      say({ type: "run", id, feeds: Object.fromEntries(sent), wanted });
      const results = await new Promise<Record<string, SentTensor>>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.ref();
      });
      for (const [name, into] of Object.entries(fetches)) {
        const answer = results[name];
        if (into !== null && answer !== undefined) copyInto(name, into, answer);
      }
      return results;
    },
    endProfiling() {
      throw new BridleError("BUG", { reason: "a session on a thread of its own is not watched" });
    },
    async release() {
      if (dead !== undefined) return;
      if (ending === undefined) {
        ending = new Promise((resolve) => worker.once("exit", () => resolve()));
        worker.ref();
        say({ type: "release" });
      }
      await ending;
      end(closed());
    },
  };
}

/** Writes an answer into memory that was given for it. @throws RUN_FAILED where that is of another shape */
function copyInto(name: string, into: OrtTensor, answer: SentTensor): void {
  if (into.dims.join() !== answer.dims.join()) {
    const reason = `${name} is [${answer.dims}], the memory for it [${into.dims}]`;
    throw new BridleError("RUN_FAILED", { reason });
  }
  (into.data as Float32Array).set(answer.data as Float32Array);
}
