// Shows the download of a model on standard error, so that a first run does not look like a stuck one.
import { performance } from "node:perf_hooks";
import type { ServeConfig } from "../config/serve-config.js";
import type { CreateSummarizerOptions } from "../summarize/create-summarizer.js";
import { openProgress, type Progress } from "./progress.js";
import type { Terminal } from "./terminal.js";

type Downloading = Required<Pick<CreateSummarizerOptions, "onDownload" | "signal">>;
type DownloadState = Parameters<Downloading["onDownload"]>[0];

const megabyte = 1_000_000;
const logEveryMs = 5000;

/**
 * Runs something that may download a model, and shows how far that is.
 * @param work gets what it passes on to createSummarizer
 */
export async function showDownloads<Result>(
  terminal: Terminal,
  work: (downloading: Downloading) => Promise<Result>,
): Promise<Result> {
  let open: { readonly repo: string; readonly progress: Progress } | undefined;
  const show = async (state: DownloadState) => {
    const { repo, endpoint, folder, file, doneBytes, totalBytes, fetchedBytes } = state;
    if (open?.repo !== repo) {
      // All of it was there: nothing is worth telling.
      if (doneBytes >= totalBytes) return;
      open?.progress.stop();
      const size = `${(totalBytes / megabyte).toFixed(1)} MB`;
      terminal.stderr.write(`Downloading ${repo} (${size}) from ${endpoint} into ${folder}\n`);
      open = { repo, progress: await openProgress(terminal, "MB") };
    }
    open.progress.update({
      done: doneBytes,
      total: totalBytes,
      items: fetchedBytes / megabyte,
      itemsInAll: Number((doneBytes / megabyte).toFixed(1)),
      note: file,
    });
  };
  let shown = Promise.resolve();
  const onDownload = (state: DownloadState) => {
    shown = shown.then(() => show(state));
  };
  try {
    return await work({ onDownload, signal: terminal.signal });
  } finally {
    await shown;
    open?.progress.stop();
  }
}

/** As showDownloads, for a server: in its log where that is for machines, which a bar or a bare line would break. */
export async function logDownloads<Result>(
  config: ServeConfig,
  terminal: Terminal,
  work: (downloading: Downloading) => Promise<Result>,
): Promise<Result> {
  if (config.logFormat === "text") return await showDownloads(terminal, work);
  const { openLog } = await import("../server/log.js");
  const log = openLog(config);
  let toldAt = Number.NEGATIVE_INFINITY;
  const onDownload = ({ repo, endpoint, doneBytes, totalBytes }: DownloadState) => {
    const isLast = doneBytes >= totalBytes;
    if (!isLast && performance.now() - toldAt < logEveryMs) return;
    toldAt = performance.now();
    log.info({ model: repo, endpoint, doneBytes, totalBytes }, "Downloading");
  };
  return await work({ onDownload, signal: terminal.signal });
}
