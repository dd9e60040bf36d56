// The thread that a session of its own lives on: opens it, runs it, and sends what it answers without a copy.
import { parentPort, workerData } from "node:worker_threads";
import type { Tensor as OrtTensor } from "onnxruntime-node";
import { BridleError } from "../errors/error.js";
import { joinNativeCalls, nativeCall } from "./native-calls.js";
import { loadOnnxRuntime } from "./onnxruntime.js";
import type {
  FromSession,
  OpenedOnThread,
  SentTensor,
  SessionWorkerData,
  ToSession,
} from "./session-thread.js";

const port = parentPort;
if (port === null)
  throw new BridleError("BUG", { reason: "a session's thread was started as a program" });

const tell = (message: FromSession, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);

const reasonOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown));

joinNativeCalls((workerData as SessionWorkerData).calls);
// Before there is something to open; what goes wrong is told to whoever asks for that.
const loading = loadOnnxRuntime();
loading.catch(() => {});

async function start({ bytes, settings }: OpenedOnThread): Promise<void> {
  const ort = await loading;
  const session = await nativeCall(() => ort.InferenceSession.create(bytes, settings));

  async function run({ id, feeds, wanted }: ToSession & { type: "run" }): Promise<void> {
    try {
      const fed: Record<string, OrtTensor> = {};
      for (const [name, { type, data, dims }] of Object.entries(feeds))
        fed[name] = new ort.Tensor(type as "float32", data as Float32Array, dims);
      const answered = await nativeCall(() => session.run(fed, wanted));
      const results: Record<string, SentTensor> = {};
      const memory = new Set<ArrayBuffer>();
      for (const name of wanted) {
        const tensor = answered[name];
        if (tensor === undefined) continue;
        const { type, dims, data } = tensor;
        results[name] = { type, dims, data };
        memory.add((data as Float32Array).buffer as ArrayBuffer);
      }
      tell({ type: "done", id, results }, [...memory]);
    } catch (thrown) {
      tell({ type: "failed", id, reason: reasonOf(thrown) });
    }
  }

  port?.on("message", (message: ToSession) => {
    if (message.type === "run") void run(message);
    // The thread ends either way, and its memory with it.
    else if (message.type === "release")
      void nativeCall(() => session.release()).finally(() => port?.close());
  });
  port?.on("messageerror", (thrown) => {
    throw thrown;
  });
  tell({ type: "open" });
}

port.once("message", (message: ToSession) => {
  if (message.type !== "open") return;
  start(message).catch((thrown: unknown) =>
    tell({ type: "failed", id: undefined, reason: reasonOf(thrown) }),
  );
});
