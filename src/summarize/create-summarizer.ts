// From a model's name to the summarizer behind it.
import { stat } from "node:fs/promises";
import { BridleError } from "../errors/error.js";
import type { Device } from "../runtime/devices.js";
import { extractiveModel } from "./extractive/parameters.js";
import { createExtractiveSummarizer } from "./extractive-summarizer.js";
import type { Summarizer } from "./summarizer.js";

export interface CreateSummarizerOptions {
  /** `extractive`, which is the default, or a folder with a model in Hugging Face layout. */
  readonly model?: string;
  /** Extractive: worker threads at most. Neural: threads of one operator. 1 or more. */
  readonly threads?: number;
  /** Where a neural model runs; `auto`, the default, takes what this installation carries and the hardware answers. */
  readonly device?: Device | "auto";
}

async function isFolder(name: string): Promise<boolean> {
  return stat(name).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * @throws MODEL_NOT_FOUND; for a model folder also what is wrong with its files (FILE_INVALID, CONFIG_INVALID,
 *   ARCHITECTURE_NOT_SUPPORTED, TOKENIZER_INVALID, WEIGHTS_CORRUPT, …) and DEVICE_UNAVAILABLE
 */
export async function createSummarizer(options: CreateSummarizerOptions = {}): Promise<Summarizer> {
  const { model = extractiveModel, threads, device = "auto" } = options;
  if (model === extractiveModel) {
    return createExtractiveSummarizer(threads === undefined ? {} : { threads });
  }
  if (await isFolder(model)) {
    const { createNeuralSummarizer } = await import("./neural.js");
    const { modelVersion } = await import("./model-version.js");
    return createNeuralSummarizer({
      folder: model,
      name: model,
      version: await modelVersion(model),
      device,
      ...(threads === undefined ? {} : { threads }),
    });
  }
  throw new BridleError("MODEL_NOT_FOUND", {
    model: JSON.stringify(model.slice(0, 200)),
    available: `${extractiveModel}, or a folder with a model in Hugging Face layout`,
  });
}
