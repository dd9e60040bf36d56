// From a model's name to the summarizer behind it.
import type { ModelDType } from "../config/model-dtypes.js";
import { BridleError } from "../errors/error.js";
import type { DownloadProgress } from "../model/hub/download-progress.js";
import type { RoundingProgress } from "../model/quantization/open.js";
import type { FoundModel, ModelSource } from "../model/resolve-model.js";
import type { Device } from "../runtime/devices.js";
import { extractiveModel } from "./extractive/parameters.js";
import { createExtractiveSummarizer } from "./extractive-summarizer.js";
import type { Summarizer } from "./summarizer.js";

export type { RoundingProgress };

export interface CreateSummarizerOptions {
  /**
   * `extractive`, which is the default; a folder with a model in Hugging Face layout; a registered version, `news:3` or
   * `news@champion`; or a model on the Hugging Face hub, `owner/name` or `owner/name@revision`, which is downloaded where the
   * cache does not have it.
   */
  readonly model?: string;
  /** Extractive: worker threads at most. Neural: threads of one operator. 1 or more. */
  readonly threads?: number;
  /** Processors that the threads of a neural model stay on; anywhere unless said. */
  readonly cpus?: readonly number[];
  /** Bytes of keys and values that documents on their way through a neural model may take; a quarter of the memory unless said. */
  readonly maxCacheBytes?: number;
  /**
   * Whether weights as products want them laid out are written into the cache, twice as much as they are themselves: later starts are
   * quicker, and processes that open the same model map one copy. Unless said, of a neural model whose copy in whole numbers lies there.
   */
  readonly sharesWeights?: boolean;
  /**
   * Where a neural model runs; `auto`, the default, takes what this installation carries and the hardware answers. The extractive
   * model runs on the CPU alone.
   */
  readonly device?: Device | "auto";
  /**
   * What a neural model's weights are computed with; the folder's own unless said, which is fp32 but for quantized copies. The
   * extractive model has no weights.
   */
  readonly dtype?: ModelDType;
  /** Where names may lead besides folders and the hub. */
  readonly sources?: readonly ModelSource[];
  /** Told how far the download of a model is. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** Told how far the rounding of a neural model's weights is, where that is done for the first time. */
  readonly onRounding?: (progress: RoundingProgress) => void;
  /**
   * Ends a download, of which what is there stays and is taken up by the next, and gives up opening a neural model, as where its
   * weights are rounded for the first time.
   */
  readonly signal?: AbortSignal;
  /** Told when a thread begins to open a neural model, which needs this one no more for some time. */
  readonly onOpening?: () => void;
}

/**
 * @throws MODEL_NOT_FOUND; INVALID_PARAMETER for a device or dtype that the extractive model does not have; for a model folder
 *   also what is wrong with its files (FILE_INVALID, CONFIG_INVALID, ARCHITECTURE_NOT_SUPPORTED, TOKENIZER_INVALID,
 *   WEIGHTS_CORRUPT, …) and DEVICE_UNAVAILABLE; for a model on the hub also the codes that begin with HUB_,
 *   DISK_SPACE_SHORT; CANCELLED by the signal
 */
export async function createSummarizer(options: CreateSummarizerOptions = {}): Promise<Summarizer> {
  const { model = extractiveModel, threads, cpus, device = "auto", dtype, sources } = options;
  const { maxCacheBytes, sharesWeights, onDownload, onOpening, onRounding, signal } = options;
  if (model === extractiveModel) {
    checkExtractive(device, dtype);
    return createExtractiveSummarizer(threads === undefined ? {} : { threads });
  }
  const { findModel } = await import("../model/resolve-model.js");
  const found = await findModel(model, {
    needs: ["model", "tokenizer"],
    others: [extractiveModel],
    sources,
    onDownload,
    signal,
  });
  return await openSummarizer(found, model, {
    device,
    ...(dtype === undefined ? {} : { dtype }),
    ...(threads === undefined ? {} : { threads }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(maxCacheBytes === undefined ? {} : { maxCacheBytes }),
    ...(sharesWeights === undefined ? {} : { sharesWeights }),
    ...(onOpening === undefined ? {} : { onOpening }),
    ...(onRounding === undefined ? {} : { onRounding }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** What can be asked of neural models alone must not seem to be done. @throws INVALID_PARAMETER */
function checkExtractive(device: Device | "auto", dtype: ModelDType | undefined): void {
  if (dtype !== undefined) {
    const expected = "left out: the extractive model has none";
    const details = { parameter: "dtype", value: JSON.stringify(dtype), expected };
    throw new BridleError("INVALID_PARAMETER", details);
  }
  if (device === "auto" || device === "cpu") return;
  const expected = "left out: the extractive model runs on the CPU alone";
  const details = { parameter: "device", value: JSON.stringify(device), expected };
  throw new BridleError("INVALID_PARAMETER", details);
}

/** How a model that was found is opened. */
export type OpenSummarizerOptions = Omit<
  CreateSummarizerOptions,
  "model" | "sources" | "onDownload"
>;

/**
 * Opens a model that was found already.
 * @param name what requests and answers call it
 * @throws as createSummarizer, for what is wrong with its files and for DEVICE_UNAVAILABLE; CANCELLED by the signal
 */
export async function openSummarizer(
  { folder, registered, licence }: FoundModel,
  name: string,
  options: OpenSummarizerOptions,
): Promise<Summarizer> {
  const { createNeuralSummarizer } = await import("./neural.js");
  const { modelVersion } = await import("../model/model-version.js");
  return createNeuralSummarizer({
    folder,
    name,
    version: registered === undefined ? () => modelVersion(folder) : String(registered.version),
    ...(registered !== undefined && { digest: registered.digest, licence: licence ?? null }),
    ...options,
  });
}
