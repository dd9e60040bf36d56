// The one import of onnxruntime-node, loaded when a model is first opened.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { BridleError } from "../errors/error.js";
import { nativeCall } from "./native-calls.js";

export type OnnxRuntime = typeof import("onnxruntime-node");

// Through require, because the package is CommonJS whose named exports ESM cannot see.
const require = createRequire(import.meta.url);

let loaded: OnnxRuntime | undefined;

/** @throws DEPENDENCY_MISSING when onnxruntime-node, or its library for this platform, is not installed. */
export async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  if (loaded !== undefined) return loaded;
  try {
    const ort = await nativeCall(async () => require("onnxruntime-node") as OnnxRuntime);
    loaded ??= ort;
    // What goes wrong is thrown; its warnings are about graphs that are meant as they are.
    loaded.env.logLevel = "error";
    return loaded;
  } catch (cause) {
    throw new BridleError(
      "DEPENDENCY_MISSING",
      {
        name: "onnxruntime-node",
        reason: (cause as Error).message,
        install: "npm install --ignore-scripts onnxruntime-node",
      },
      { cause },
    );
  }
}

/** The folder of the package, where its libraries lie. */
export function findOnnxRuntime(): string {
  return join(dirname(require.resolve("onnxruntime-node")), "..");
}
