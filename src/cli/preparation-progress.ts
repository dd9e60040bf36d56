// Shows what a model takes before it can be used, its download and the rounding of its weights, so that a first run does not look like a stuck one.
import type { ServeConfig } from "../config/serve-config.js";
import type { CreateSummarizerOptions } from "../summarize/create-summarizer.js";
import { openProgress, type Progress } from "./progress.js";
import type { Terminal } from "./terminal.js";

type Preparing = Required<Pick<CreateSummarizerOptions, "onDownload" | "onRounding" | "signal">>;
type DownloadState = Parameters<Preparing["onDownload"]>[0];
type RoundingState = Parameters<Preparing["onRounding"]>[0];

const megabyte = 1_000_000;

/** What each part of rounding is called, and what it goes through. */
const parts: Record<RoundingState["phase"], { readonly title: string; readonly unit: string }> = {
  rounding: { title: "Rounding the weights of", unit: "tensors" },
  measuring: { title: "Measuring what that does to", unit: "documents" },
  "rounding-again": { title: "Rounding anew, without the layers that suffer,", unit: "tensors" },
  writing: { title: "Writing the copy of", unit: "tensors" },
};

/**
 * Runs something that may download a model or round its weights, and shows how far that is.
 * @param work gets what it passes on to createSummarizer
 */
export async function showPreparation<Result>(
  terminal: Terminal,
  work: (preparing: Preparing) => Promise<Result>,
): Promise<Result> {
  let open: { readonly what: string; readonly progress: Progress } | undefined;
  /** The display of a part of the work, which ends that of the part before. */
  const turnTo = async (what: string, title: string, unit: string): Promise<Progress> => {
    if (open?.what === what) return open.progress;
    open?.progress.stop();
    terminal.stderr.write(`${title}\n`);
    open = { what, progress: await openProgress(terminal, unit) };
    return open.progress;
  };
  const showDownload = async (state: DownloadState) => {
    const { repo, endpoint, folder, file, doneBytes, totalBytes, fetchedBytes } = state;
    // All of it was there: nothing is worth telling.
    if (open?.what !== repo && doneBytes >= totalBytes) return;
    const size = `${(totalBytes / megabyte).toFixed(1)} MB`;
    const title = `Downloading ${repo} (${size}) from ${endpoint} into ${folder}`;
    (await turnTo(repo, title, "MB")).update({
      done: doneBytes,
      total: totalBytes,
      items: fetchedBytes / megabyte,
      itemsInAll: Number((doneBytes / megabyte).toFixed(1)),
      note: file,
    });
  };
  const showRounding = async ({ folder, dtype, phase, done, total }: RoundingState) => {
    const { title, unit } = parts[phase];
    const progress = await turnTo(`${phase} ${folder}`, `${title} ${folder} (${dtype})`, unit);
    progress.update({ done, total, items: done, itemsInAll: done });
  };
  let shown = Promise.resolve();
  /** What goes on behind the work, as of a version that an alias moves to later, has no display that anybody would end. */
  let isOver = false;
  const onDownload = (state: DownloadState) => {
    if (!isOver) shown = shown.then(() => showDownload(state));
  };
  const onRounding = (state: RoundingState) => {
    if (!isOver) shown = shown.then(() => showRounding(state));
  };
  try {
    return await work({ onDownload, onRounding, signal: terminal.signal });
  } finally {
    isOver = true;
    await shown;
    open?.progress.stop();
  }
}

/** As showPreparation, for a server: in its log where that is for machines, which a bar or a bare line would break. */
export async function logPreparation<Result>(
  config: ServeConfig,
  terminal: Terminal,
  work: (preparing: Preparing) => Promise<Result>,
): Promise<Result> {
  if (config.logFormat === "text") return await showPreparation(terminal, work);
  const { openLog, progressLog, roundingLog } = await import("../server/log.js");
  const log = openLog(config);
  const tell = progressLog(log, "Downloading");
  const onDownload = ({ repo, endpoint, doneBytes, totalBytes }: DownloadState) =>
    tell(doneBytes >= totalBytes, { model: repo, endpoint, doneBytes, totalBytes });
  const onRounding = roundingLog(log);
  return await work({ onDownload, onRounding, signal: terminal.signal });
}
