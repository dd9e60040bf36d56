// Where a model's thread starts: what it will need is begun before its own code, which is long, has been loaded.
import { workerData } from "node:worker_threads";
import { joinNativeCalls } from "../runtime/native-calls.js";
import { beginSessionThread } from "../runtime/session-thread.js";
import type { ModelThreadData } from "./neural-thread.js";

const { calls, encoderApart } = workerData as ModelThreadData;
joinNativeCalls(calls);
if (encoderApart) beginSessionThread();
await import("./neural-engine.js");
if (encoderApart) {
  // Asked while nothing is to be opened yet; what goes wrong is told to whoever asks then.
  const { wholeNumberProducts } = await import("../runtime/whole-number-products.js");
  wholeNumberProducts().catch(() => {});
}
