// The devices a graph can run on, and which of them are here.
import { BridleError } from "../errors/error.js";
import { loadOnnxRuntime } from "./onnxruntime.js";

export const devices = ["cpu", "webgpu", "cuda"] as const;
export type Device = (typeof devices)[number];

const cudaLibraries =
  "libonnxruntime_providers_cuda.so, libonnxruntime_providers_shared.so, CUDA 12 and cuDNN 9";

/** Devices that this installation of onnxruntime carries; whether the hardware answers shows when a session opens. */
export async function listDevices(): Promise<readonly Device[]> {
  const ort = await loadOnnxRuntime();
  const backends = ort.listSupportedBackends();
  return devices.filter((device) =>
    backends.some(({ name, bundled }) => name === device && bundled),
  );
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
