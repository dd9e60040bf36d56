// What a training run shows while it runs: a bar of its steps, a line for whatever else it tells, and its curves at the end.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type {
  DataReport,
  EvaluationReport,
  LeakageReport,
  PreparationEvent,
  TrainEvent,
} from "../train/events.js";
import { openProgress, type Progress } from "./progress.js";
import type { Terminal } from "./terminal.js";

/** Draws what a run's events tell. @returns the picture's path @throws WRITE_FAILED */
export async function drawCurves(folder: string): Promise<string> {
  const [{ drawTrainingCurves }, { writeAtomically }, { eventsFile, parseEvents }] =
    await Promise.all([
      import("../report/training-curves.js"),
      import("../text/files/write-atomically.js"),
      import("../train/run-folder.js"),
    ]);
  const picture = join(folder, "curves.svg");
  const svg = drawTrainingCurves(parseEvents(await readFile(join(folder, eventsFile), "utf8")));
  await writeAtomically(picture, (handle) => handle.writeFile(svg));
  return picture;
}

const percent = (value: number) => (100 * value).toFixed(2);

export function describeEvaluation({
  step,
  loss,
  rouge,
  genLen,
  isBest,
}: EvaluationReport): string {
  const parts = [`step ${step}: validation loss ${loss.toFixed(4)}`];
  if (rouge) {
    const { rouge1, rouge2, rougeL } = rouge;
    parts.push(`ROUGE-1/2/L ${percent(rouge1)}/${percent(rouge2)}/${percent(rougeL)}`);
  }
  if (genLen !== undefined) parts.push(`${genLen.toFixed(1)} tokens written`);
  return `${parts.join(", ")}${isBest ? " (best so far)" : ""}`;
}

function describeData({ split, rows, emptyRows, ...cut }: DataReport): string {
  const parts = [`${split}: ${rows} rows`];
  if (emptyRows > 0) parts.push(`${emptyRows} empty ones left out`);
  const { truncatedDocuments, truncatedSummaries, lostTokens } = cut;
  if (truncatedDocuments + truncatedSummaries > 0) {
    parts.push(
      `${truncatedDocuments} documents and ${truncatedSummaries} summaries are longer than what is read ` +
        `(${lostTokens} tokens left out)`,
    );
  }
  const { repeatedDocuments, repeatedPairs, repeats } = cut;
  if (repeatedDocuments > 0) {
    const same = repeatedPairs === 0 ? "" : `, ${repeatedPairs} with the same summary`;
    parts.push(`${repeatedDocuments} documents stand in it before${same} (${examples(repeats)})`);
  }
  return parts.join(", ");
}

/** The first two of several places. */
function examples(places: readonly string[]): string {
  return places.slice(0, 2).join("; ") + (places.length > 2 ? "; …" : "");
}

function describeLeakage({ documents, pairs, places }: LeakageReport): string {
  const same = pairs === 0 ? "" : `, ${pairs} with the same summary`;
  return (
    `warning: ${documents} documents of the validation rows are learned from too${same}, so that validation ` +
    `looks better than it is (${examples(places)})`
  );
}

/**
 * A bar of the steps on standard error, and a line for whatever else is told.
 * @param onLine is told the lines too
 */
export async function openDisplay(terminal: Terminal, onLine: (text: string) => void = () => {}) {
  const progress = await openProgress(terminal, "steps");
  const line = (text: string) => {
    terminal.stderr.write(`${text}\n`);
    onLine(text);
  };
  /** The bar of what is prepared now; it may still be opening. */
  let preparing: { readonly of: string; bar?: Progress } | undefined;
  const prepared = () => {
    preparing?.bar?.stop();
    preparing = undefined;
  };
  const prepare = ({ split, phase, rows, done, total }: PreparationEvent) => {
    const of = `${split}: ${phase}`;
    if (preparing?.of !== of) {
      prepared();
      const opening: { of: string; bar?: Progress } = { of };
      preparing = opening;
      void openProgress(terminal, "rows").then((bar) => {
        if (preparing === opening) opening.bar = bar;
      });
    }
    preparing?.bar?.update({ done, total, items: rows, itemsInAll: rows, note: of });
  };
  let total = 0;
  let first = 0;
  const show = (event: TrainEvent): void => {
    switch (event.type) {
      case "preparation":
        prepare(event);
        break;
      case "data":
        prepared();
        line(describeData(event.report));
        break;
      case "leakage":
        line(describeLeakage(event.report));
        break;
      case "start":
        total = event.totalSteps;
        first = event.step;
        if (first > 0) line(`Going on from step ${first}.`);
        line(
          `${event.learnedParameters} of ${event.parameters} parameters are learned in ${total} steps.`,
        );
        break;
      case "step": {
        const { step, loss, tokensPerSecond } = event;
        const note = `loss ${loss.toFixed(4)}, ${Math.round(tokensPerSecond)} tokens/s`;
        progress.update({ done: step, total, items: step - first, itemsInAll: step, note });
        break;
      }
      case "evaluation":
        line(describeEvaluation(event.report));
        break;
      case "stopped":
        line(`Stopped at step ${event.step}: no evaluation was better for train.patience of them.`);
        break;
      default:
        break;
    }
  };
  const close = () => {
    prepared();
    progress.stop();
  };
  return { show, close };
}
