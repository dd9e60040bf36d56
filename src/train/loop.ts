// The trainer: from a configuration to a trained model, step by step, taken up again where it was interrupted.

import { cpus } from "node:os";
import { join } from "node:path";
import { thisMachine } from "../config/machine.js";
import type { RunConfig } from "../config/run-config.js";
import { bridleVersion } from "../config/version.js";
import { planSteps, type StepBatches } from "../data/batches.js";
import { type Dataset, findLeakage, openDataset } from "../data/dataset.js";
import { abortError } from "../errors/abort-error.js";
import { BridleError } from "../errors/error.js";
import type { RegisteredVersion, ResolveOptions } from "../model/resolve-model.js";
import type { Device } from "../runtime/devices.js";
import { type Profiler, timed } from "../runtime/profile/profiler.js";
import { chooseDevice, type SessionOptions } from "../runtime/session.js";
import type { HeldWeights } from "../runtime/weights.js";
import { Checkpoints, type Progress } from "./checkpoints.js";
import { type LaidApart, withVersions } from "./data-files.js";
import { createEvaluator, type Evaluator, judge } from "./evaluation.js";
import type { DataReport, EvaluationReport, OnTrainEvent, TrainEvent } from "./events.js";
import { createHardwareReader } from "./hardware.js";
import { createObjective } from "./objectives/create.js";
import { openRunFolder, type RunFolder } from "./run-folder.js";
import { hashRun } from "./run-hash.js";
import { createSchedule } from "./schedule.js";
import { type EncodedSplit, encodeSplit, shapesOf, toBatch } from "./split.js";
import { openStart, type StartingPoint, startHash } from "./start.js";
import { openTrainingStep, type TrainingStep } from "./step.js";
import {
  copyTrainedModel,
  currentCommit,
  hasWeights,
  lockfileHash,
  type RunRecord,
  readRunRecord,
  replaceTrainedModel,
  writeTrainedModel,
} from "./trained-model.js";

export interface TrainOptions {
  readonly onEvent?: OnTrainEvent;
  /**
   * Awaited before each checkpoint is written, and before it is noted in one that its step is evaluated. A run that is
   * killed goes on from its last checkpoint and tells nothing before it again: whoever keeps what is told has it safe by then.
   */
  readonly beforeCheckpoint?: (() => Promise<void>) | undefined;
  /** Aborting it stops after the step in work, or in the midst of its evaluation; the run can be taken up again. */
  readonly signal?: AbortSignal;
  /** Threads of one operator where the configuration says none. Default: the machine's. */
  readonly threads?: number;
  /** What it runs on where the configuration says `auto`. Default: what is found here. */
  readonly device?: Device | undefined;
  /** Told while the model to start from is downloaded. */
  readonly onDownload?: ResolveOptions["onDownload"];
  /** Where the model's name may lead besides folders and the hub. */
  readonly sources?: ResolveOptions["sources"];
  /** Is told where the time of each step goes. */
  readonly profiler?: Profiler;
  /** Data that lies elsewhere than the configuration says, by what it says. */
  readonly laidApart?: ReadonlyMap<string, LaidApart>;
}

export interface TrainResult {
  readonly folder: string;
  readonly record: RunRecord;
}

/** Everything a run works with, open. */
interface Run {
  readonly config: RunConfig;
  /** What it runs on. */
  readonly device: Device;
  readonly folder: RunFolder;
  readonly start: StartingPoint;
  readonly rows: Dataset;
  readonly split: EncodedSplit;
  readonly step: TrainingStep;
  readonly checkpoints: Checkpoints;
  readonly evaluator: Evaluator | undefined;
  readonly record: Omit<RunRecord, "step" | "evaluation" | "createdAt">;
  readonly tell: (event: TrainEvent) => Promise<void>;
}

/**
 * Trains a model. The same configuration, data and seed give the same weights, bit for bit, on the same machine and
 * thread count, however often the run was interrupted.
 * @throws what opening the model and the data throws, before the first step; OUTPUT_IN_USE; CHECKPOINT_MISMATCH;
 * LOSS_NOT_FINITE; WRITE_FAILED; CANCELLED
 */
export async function train(config: RunConfig, options: TrainOptions = {}): Promise<TrainResult> {
  const folder = await openRunFolder(config.train.output);
  try {
    return await trainIn(folder, config, options);
  } finally {
    await folder.release();
  }
}

/**
 * As `train`, in a folder that the caller has taken and lets go of again: what it does before and after is part of the run, and
 * nobody else's comes in between.
 * @param folder that of `config.train.output`
 * @throws as train, without OUTPUT_IN_USE
 */
export async function trainIn(
  folder: RunFolder,
  config: RunConfig,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const began = performance.now();
  const open: { close(): Promise<void> }[] = [];
  try {
    const run = await openRun(config, folder, options, open);
    const done = await readRunRecord(folder.path);
    if (done?.runHash === run.record.runHash && (await hasWeights(folder.path, done))) {
      return { folder: folder.path, record: done };
    }
    return await steps(run, options);
  } catch (thrown) {
    const { signal } = options;
    throw signal?.aborted && thrown === signal.reason ? abortError(signal, began) : thrown;
  } finally {
    for (const part of open.reverse()) await part.close();
  }
}

/** The configuration with the version that an alias meant when the run began: what it means later is another run. */
function pin(config: RunConfig, registered: RegisteredVersion | undefined): RunConfig {
  if (registered === undefined) return config;
  const name = `${registered.name}:${registered.version}`;
  const { model } = config;
  const pinned = model.name === undefined ? { ...model, tokenizer: name } : { ...model, name };
  return { ...config, model: pinned };
}

async function openRun(
  asked: RunConfig,
  folder: RunFolder,
  { onEvent, onDownload, signal, threads, device, sources, profiler, laidApart }: TrainOptions,
  open: { close(): Promise<void> }[],
): Promise<Run> {
  const tell = async (event: TrainEvent) => {
    await folder.record(event);
    onEvent?.(event);
  };
  const session: SessionOptions & { device: Device } = {
    device: await chooseDevice((asked.train.device === "auto" && device) || asked.train.device),
    threads: asked.train.threads ?? threads ?? thisMachine().threads,
    profiler,
  };
  const { start, registered, weights } = await openStart(asked, { onDownload, signal, sources });
  const config = pin(asked, registered);
  const objective = createObjective(config, start);
  const hasSummaries = config.train.objective === "seq2seq";
  const splitOf = async (name: DataReport["split"], said: string | readonly string[]) => {
    const names = typeof said === "string" ? [said] : said;
    const files = names.map((file) => laidApart?.get(file)?.place ?? file);
    const { maxTrainRows, maxValidationRows, documentColumn, summaryColumn } = config.data;
    const { onEmpty, encoding, delimiter } = config.data;
    const limit = name === "train" ? maxTrainRows : maxValidationRows;
    let read = 0;
    const prepare = (phase: "reading" | "measuring", done: number, total: number) =>
      onEvent?.({ type: "preparation", split: name, phase, rows: read, done, total });
    const rows = await openDataset(files, {
      kind: hasSummaries ? "pairs" : "documents",
      columns: {
        ...(documentColumn && { document: documentColumn }),
        ...(summaryColumn && { summary: summaryColumn }),
      },
      onEmpty,
      ...(encoding !== undefined && { encoding }),
      ...(delimiter !== undefined && { delimiter }),
      spoolFolder: folder.path,
      ...(limit !== undefined && { limit }),
      ...(signal && { signal }),
      onRead: ({ readBytes, sizeBytes }) => {
        read++;
        prepare("reading", readBytes, sizeBytes);
      },
    });
    open.push(rows);
    const measured = (done: number, of: number) => {
      read = done;
      prepare("measuring", done, of);
    };
    const split = await encodeSplit(rows, objective, measured, signal);
    const { repeats } = rows.report;
    const { documents, summaries, lostTokens } = split.truncated;
    await tell({
      type: "data",
      report: {
        split: name,
        files: rows.report.files,
        rows: rows.rows,
        emptyRows: rows.report.empty.rows,
        truncatedDocuments: documents,
        truncatedSummaries: summaries,
        lostTokens,
        repeatedDocuments: repeats.documents,
        repeatedPairs: hasSummaries ? repeats.pairs : 0,
        repeats: repeats.examples.map(
          ({ row, as }) => `${rows.placeOf(row).where} as ${rows.placeOf(as).where}`,
        ),
      },
    });
    return { rows, split, names };
  };
  const training = await splitOf("train", config.data.train);
  const validation =
    config.data.validation === undefined
      ? undefined
      : await splitOf("validation", config.data.validation);

  const [leakage] = validation
    ? findLeakage({ train: training.rows, validation: validation.rows })
    : [];
  if (leakage !== undefined) {
    const { documents, told: places } = leakage;
    const pairs = hasSummaries ? leakage.pairs : 0;
    await tell({ type: "leakage", report: { documents, pairs, places } });
  }

  const hashed = [training, ...(validation ? [validation] : [])].flatMap(({ rows, names }) =>
    rows.report.files.map(({ sha256: hash }, at) => ({ file: names[at]!, sha256: hash })),
  );
  const data = await withVersions(hashed, laidApart, signal);
  const startSha256 = await startHash(start.folder, config.model.name === undefined, signal);
  const platform = {
    node: process.version,
    arch: process.arch,
    os: process.platform,
    cpu: cpus()[0]?.model ?? "unknown",
    device: session.device,
    threads: session.threads ?? 1,
  };
  const runHash = hashRun(config, {
    ...{ device: session.device, threads: platform.threads, startSha256 },
    dataHashes: data.map(({ sha256: hash }) => hash),
  });
  const { train: options } = config;
  const step = await openTrainingStep(start.family, start.config, weights, {
    ...start.graph,
    ...options,
    chunks: options.lossChunks,
    recompute: options.recompute ? "layers" : "attention",
    dropout: true,
    encoderLabels: options.objective === "gap-sentences" && options.gapSentences.maskedTokens > 0,
    session,
  });
  open.push(step);
  const evaluator =
    validation && createEvaluator(start, config, validation.rows, validation.split, session);
  return {
    config,
    device: session.device,
    folder,
    start,
    ...training,
    step,
    evaluator,
    checkpoints: new Checkpoints(
      join(folder.path, "checkpoints"),
      { runHash, startSha256, threads: platform.threads, device: session.device },
      options.keepCheckpoints,
    ),
    record: {
      version: 1,
      bridle: bridleVersion,
      config,
      runHash,
      data,
      ...(registered !== undefined && config.model.name !== undefined && { parent: registered }),
      startSha256,
      seed: options.seed,
      lockfileSha256: await lockfileHash(),
      commit: await currentCommit(),
      platform,
    },
    tell,
  };
}

/** How many steps an epoch has, and the whole run. */
function countSteps({ config, rows, split }: Run): { perEpoch: number; total: number } {
  const { accumulate, epochs, maxSteps } = config.train;
  const shapes = shapesOf(config.train, rows, split);
  let perEpoch = 0;
  for (const { epoch } of planSteps(shapes, { seed: config.train.seed, accumulate })) {
    if (epoch > 0) break;
    perEpoch++;
  }
  return { perEpoch, total: maxSteps ?? Math.max(1, Math.round(epochs * perEpoch)) };
}

async function steps(
  run: Run,
  { signal, beforeCheckpoint, profiler }: TrainOptions,
): Promise<TrainResult> {
  const { config, step, checkpoints, tell } = run;
  const save = async (kept: Progress) => {
    await beforeCheckpoint?.();
    return await checkpoints.save(step.state, kept);
  };
  const { seed, accumulate, learningRate, evaluateEvery, checkpointEvery, patience } = config.train;
  const { perEpoch, total } = countSteps(run);
  const schedule = createSchedule(config.train.schedule, { learningRate, totalSteps: total });
  const fresh: Progress = { step: 0, sinceBest: 0, best: null, last: null };
  let progress = (await checkpoints.restore(step.state)) ?? fresh;
  await run.folder.rewind(progress.step, progress.evaluationPending && progress.step - 1);
  const hardware = createHardwareReader();
  await tell({
    type: "start",
    totalSteps: total,
    step: progress.step,
    learnedParameters: countElements(step.state.weight),
    parameters: countElements(step.weights),
    device: run.device,
  });

  const every = (interval: number | undefined, done: number) =>
    done % (interval ?? perEpoch) === 0 || done === total;
  const position = {
    epoch: Math.floor(progress.step / perEpoch),
    batch: (progress.step % perEpoch) * accumulate,
  };
  const plan = planSteps(
    shapesOf(config.train, run.rows, run.split),
    { seed, accumulate },
    position,
  );
  const clock = { at: performance.now(), tokens: 0 };
  const outOfPatience = () => patience !== null && progress.sinceBest >= patience;
  /** Evaluates where the run stands. What cancels that or fails leaves the steps, to be evaluated first when the run is taken up. */
  const evaluate = async (evaluator: Evaluator, isSaved: boolean) => {
    const before = progress;
    try {
      progress = await evaluateNow(run, evaluator, before, before.step / perEpoch, signal);
    } catch (thrown) {
      // Weights whose loss is no number lead nowhere.
      const isLost = thrown instanceof BridleError && thrown.code === "LOSS_NOT_FINITE";
      const keep = () => (isSaved ? undefined : save({ ...before, evaluationPending: true }));
      // Why an evaluation failed says more than that nothing could be kept either.
      await (isLost ? checkpoints.withdraw(before.step) : keep())?.catch((second) => {
        if (signal?.aborted) throw second;
      });
      throw thrown;
    }
    if (!isSaved) return;
    await beforeCheckpoint?.();
    await checkpoints.amend(progress);
  };
  if (run.evaluator !== undefined && progress.evaluationPending)
    await evaluate(run.evaluator, true);
  while (progress.step < total && !outOfPatience()) {
    const index = progress.step;
    const next = plan.next().value as StepBatches;
    const { batches, result } = await timed(profiler, "step", async () => {
      const read = timed(profiler, "batch", () => readBatches(run, next));
      const taken = { index, learningRate: schedule(index) };
      return { batches: await read, result: await step.run(await read, taken) };
    });
    const done = index + 1;
    progress = { ...progress, step: done };
    clock.tokens += countTokens(batches);
    if (done % config.train.logEvery === 0 || done === total) {
      const seconds = (performance.now() - clock.at) / 1000;
      await tell({
        type: "step",
        step: done,
        epoch: done / perEpoch,
        ...result,
        tokens: clock.tokens,
        tokensPerSecond: clock.tokens / seconds,
      });
      await tell({ type: "hardware", step: done, reading: hardware() });
      clock.at = performance.now();
      clock.tokens = 0;
    }
    const isEvaluated = run.evaluator !== undefined && every(evaluateEvery, done);
    const isSaved = every(checkpointEvery ?? evaluateEvery, done);
    if (isEvaluated || isSaved) {
      step.checkWeights({ step: done, loss: result.loss });
    }
    const checkpoint = async (kept: Progress) =>
      tell({ type: "checkpoint", step: done, folder: await save(kept) });
    if (isSaved) await checkpoint({ ...progress, ...(isEvaluated && { evaluationPending: true }) });
    if (run.evaluator !== undefined && isEvaluated) await evaluate(run.evaluator, isSaved);
    const wasSaved = isSaved || outOfPatience();
    if (wasSaved && !isSaved) await checkpoint(progress);
    // The step has blocked this thread: let signals and timers in.
    await new Promise(setImmediate);
    if (signal?.aborted) {
      if (!wasSaved) {
        step.checkWeights({ step: done, loss: result.loss });
        await save(progress);
      }
      throw new BridleError("CANCELLED", {}, { cause: signal.reason });
    }
  }
  if (progress.step < total) {
    await tell({ type: "stopped", step: progress.step, reason: "patience" });
  }
  return finish(run, progress);
}

/** The rows of a step, tokenized and padded. */
async function readBatches({ split, start }: Run, { batches, epoch }: StepBatches) {
  return await Promise.all(
    batches.map(async ({ rows }) =>
      toBatch(await split.encode(rows, epoch), start.config.padTokenId),
    ),
  );
}

const bestFolder = "best";

async function evaluateNow(
  run: Run,
  evaluator: Evaluator,
  progress: Progress,
  epoch: number,
  signal: AbortSignal | undefined,
): Promise<Progress> {
  const weights = resultOf(run.step);
  const found = await evaluator.run(weights, signal);
  if (!Number.isFinite(found.loss)) {
    const what = "it is that of the rows held back, though every weight is a number";
    throw new BridleError("LOSS_NOT_FINITE", { step: progress.step, loss: found.loss, what });
  }
  const figure = judge(found, run.config.evaluate.metric);
  const isBest = progress.best === null || figure < progress.best;
  const report: EvaluationReport = { step: progress.step, epoch, ...found, isBest };
  if (isBest) {
    const record = recordOf(run, progress.step, report);
    await replaceTrainedModel(join(run.folder.path, bestFolder), run.start, weights, record);
  }
  await run.tell({ type: "evaluation", report });
  return {
    step: progress.step,
    best: isBest ? figure : progress.best,
    sinceBest: isBest ? 0 : progress.sinceBest + 1,
    last: report,
  };
}

/** The weights to evaluate and export: the running average's in place of those it follows. */
function resultOf(step: TrainingStep): HeldWeights {
  return new Map([...step.weights, ...step.result]);
}

function recordOf(run: Run, step: number, evaluation: EvaluationReport | null): RunRecord {
  return { ...run.record, step, evaluation, createdAt: new Date().toISOString() };
}

/** Puts the best model, or where nothing was evaluated the last one, into the run's folder. */
async function finish(run: Run, progress: Progress): Promise<TrainResult> {
  const { path } = run.folder;
  const bestPath = join(path, bestFolder);
  const best = progress.best === null ? undefined : await readRunRecord(bestPath);
  let record = best;
  if (record !== undefined) await copyTrainedModel(bestPath, path);
  else {
    const last = recordOf(run, progress.step, progress.last);
    record = await writeTrainedModel(path, run.start, resultOf(run.step), last);
  }
  await run.tell({ type: "done", step: progress.step, folder: path });
  return { folder: path, record };
}

function countElements(tensors: HeldWeights | undefined): number {
  return [...(tensors?.values() ?? [])].reduce((sum, { data }) => sum + data.length, 0);
}

function countTokens(
  batches: readonly {
    attentionMask?: readonly (readonly number[])[] | undefined;
    labels: readonly (readonly number[])[];
  }[],
): number {
  let tokens = 0;
  for (const { attentionMask = [], labels } of batches) {
    for (const row of attentionMask) for (const kept of row) tokens += kept;
    for (const row of labels) for (const label of row) if (label >= 0) tokens++;
  }
  return tokens;
}
