// Answers one message from a worker thread, so that `bridle doctor` knows that threads start here.
import { parentPort } from "node:worker_threads";

parentPort?.once("message", (message) => parentPort?.postMessage(message));
