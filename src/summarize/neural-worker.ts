// Where a model's thread starts: what it will need is begun before its own code, which is long, has been loaded.
import { workerData } from "node:worker_threads";
import { joinNativeCalls } from "../runtime/native-calls.js";
import { beginSessionThread } from "../runtime/session-thread.js";
import type { ModelThreadData } from "./neural-thread.js";

const { calls, encoderApart } = workerData as ModelThreadData;
joinNativeCalls(calls);
if (encoderApart) beginSessionThread();
await import("./neural-engine.js");
