// The devices a graph can run on, and which of them are here.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { nativeCall } from "./native-calls.js";
import { findOnnxRuntime, loadOnnxRuntime } from "./onnxruntime.js";

export const devices = ["cpu", "webgpu", "cuda"] as const;
export type Device = (typeof devices)[number];

const cudaLibraries =
  "libonnxruntime_providers_cuda.so, libonnxruntime_providers_shared.so, CUDA 12 and cuDNN 9";

/** The file that onnxruntime loads for CUDA, and that its install script brings. */
const cudaProvider =
  process.platform === "win32"
    ? "onnxruntime_providers_cuda.dll"
    : "libonnxruntime_providers_cuda.so";

function hasCudaLibrary(): boolean {
  const binaries = join(findOnnxRuntime(), "bin");
  if (!existsSync(binaries)) return false;
  return readdirSync(binaries).some((version) =>
    existsSync(join(binaries, version, process.platform, process.arch, cudaProvider)),
  );
}

/** Devices that this installation of onnxruntime carries; whether the hardware answers shows when a session opens. */
export async function listDevices(): Promise<readonly Device[]> {
  const ort = await loadOnnxRuntime();
  const backends = await nativeCall(async () => ort.listSupportedBackends());
  return devices.filter((device) => {
    const backend = backends.find(({ name }) => name === device);
    if (backend === undefined) return false;
    // CUDA's library never comes with the package; whoever wants it installs it besides.
    return device === "cuda" ? hasCudaLibrary() : backend.bundled;
  });
}

/**
 * The error for a device that would not open, naming what it needs.
 * @param reason what onnxruntime said
 */
export function deviceUnavailable(device: Device, reason: string, cause?: unknown): BridleError {
  const needs = {
    cpu: "onnxruntime-node's own library for this platform",
    webgpu:
      "a Vulkan, Metal or Direct3D 12 driver (on Linux without a GPU: SwiftShader, named by VK_ICD_FILENAMES)",
    cuda: `${cudaLibraries} on the library path (run onnxruntime-node's install script with --onnxruntime-node-install=cuda12)`,
  }[device];
  return new BridleError("DEVICE_UNAVAILABLE", { device, reason, needs }, { cause });
}
