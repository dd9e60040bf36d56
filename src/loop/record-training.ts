// Joins training and tracking: what a training run tells becomes events of a tracked run, and it never waits for them.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import type { RunConfig } from "../config/run-config.js";
import { bridleVersion } from "../config/version.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { withoutPasswords } from "../errors/without-passwords.js";
import type { BlobStore } from "../ports/blob-store.js";
import type { Database } from "../ports/database.js";
import type { EventSink, RunArtifact, RunIdentity } from "../ports/event-sink.js";
import { processMark } from "../runtime/living-process.js";
import { putArtifact } from "../track/artifacts.js";
import { readCodeVersion } from "../track/code-version.js";
import { markInterrupted } from "../track/interrupted.js";
import { openOutbox } from "../track/outbox.js";
import { findRunsOf, getRun, lastLineOf } from "../track/read.js";
import { createRecorder, createRunId, flattenParams, type Recorder } from "../track/recorder.js";
import { createSystemReader, describeMachine } from "../track/system.js";
import type { TrainEvent } from "../train/events.js";
import type { TrainResult } from "../train/loop.js";
import { eventsFile, parseEvents } from "../train/run-folder.js";
import { recordFile } from "../train/trained-model.js";

/** What recording works with, put together by compose. */
export interface TrackingParts {
  readonly sinks: readonly EventSink[];
  /** Settles once the database has what other processes left for it. */
  readonly left: Promise<void>;
  /** Where runs are looked up that are taken up again; may fail, and then the run is a new one. */
  readonly openDatabase: () => Promise<Database>;
  readonly artifacts: BlobStore;
  readonly spoolFolder: string;
  readonly onWarning: (message: string) => void;
}

export interface RecordingOptions {
  /** Default: `default`. */
  readonly experiment?: string;
  /** Default: the output folder's name. */
  readonly name?: string;
  /** The sweep or multirun it belongs to. */
  readonly parent?: string;
  readonly source?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Told once it is known which run it is. */
  readonly onRun?: (run: RunIdentity) => void;
  /** How long earlier runs are looked for, in ms. Default 10 000. */
  readonly lookMs?: number;
}

export interface TrainingRecord {
  /** Undefined until it is known which run it is, and where nothing is recorded because nothing is trained or left to tell. */
  readonly run: RunIdentity | undefined;
  onEvent(event: TrainEvent): void;
  /** A line that was shown. */
  line(text: string): void;
  /** Has what was told so far outlive this process: for `beforeCheckpoint` of training. */
  keep(): Promise<void>;
  tag(tags: Readonly<Record<string, string>>): void;
  /** @returns whether every sink has everything */
  finish(result: TrainResult): Promise<boolean>;
  fail(thrown: unknown): Promise<boolean>;
}

/** Steps that no run reaches: nothing is taken back before it is known where a run goes on. */
const never = Number.MAX_SAFE_INTEGER;

/**
 * Records a training from its first event on, when its folder is its own. Nothing is waited for: which run it is, a new
 * one or one that was killed, is looked up meanwhile. Never throws for what the sinks are not able to do.
 */
export function recordTraining(
  config: RunConfig,
  parts: TrackingParts,
  options: RecordingOptions = {},
): TrainingRecord {
  const output = path.resolve(config.train.output);
  let begun: Begun | undefined;
  let beginning: Promise<Begun> | undefined;
  let mayBeDone: boolean | undefined;
  // What is told before the run is known, or before it is known whether there is anything to record.
  const held: ((begun: Begun) => void)[] = [];
  const tell = (what: (begun: Begun) => void) => {
    if (begun !== undefined) what(begun);
    else held.push(what);
  };
  const identity: TrainingIdentity = {
    output,
    configSha256: createHash("sha256").update(JSON.stringify(config)).digest("hex"),
  };
  const { lookMs = 10_000 } = options;
  const look = (failure: string) => findUnfinished(parts, identity, lookMs, failure);
  const begin = (before?: Unfinished) => {
    const ask = () => look("Earlier runs are not looked at, and this one is a new one");
    beginning ??= beginRecord(config, identity, parts, options, before ?? ask).then((known) => {
      begun = known;
      for (const what of held.splice(0)) what(known);
      return known;
    });
    return beginning;
  };
  /** The run whose model was whole when it was killed, before it could tell so. */
  const beginUntold = async ({ record: { createdAt } }: TrainResult) => {
    const before = await look(
      "Whether a run was killed before it could tell its end is not looked at",
    );
    // One that began later was about to make another model.
    if (before === undefined || before.startedAt > Date.parse(createdAt)) return undefined;
    const known = await begin(before);
    known.recordMissed(never);
    return known;
  };
  return {
    get run() {
      return begun?.run;
    },
    onEvent(event) {
      if (event.type === "preparation") return;
      // A folder with a trained model may turn out to hold this very one; then nothing is trained, and nothing recorded.
      mayBeDone ??= existsSync(path.join(output, recordFile));
      tell((known) => known.record(event));
      if (event.type === "start" || !mayBeDone) void begin();
    },
    line: (text) => tell(({ recorder }) => recorder.line(text)),
    async keep() {
      await (await beginning)?.recorder.keep();
    },
    tag: (given) => tell(({ recorder }) => recorder.tags(given)),
    async finish(result) {
      const known = (await beginning) ?? (await beginUntold(result));
      if (known === undefined) return true;
      const { recorder, put, preparing } = known;
      await preparing;
      for (const { file, sha256 } of result.record.weights ?? []) {
        await put(file, () => referenceTo(path.join(result.folder, file), file, sha256));
      }
      const bridleJson = path.join(result.folder, recordFile);
      await put(recordFile, async () =>
        putArtifact(parts.artifacts, recordFile, await readFile(bridleJson), "application/json"),
      );
      recorder.tags({
        "best.step": String(result.record.step),
        model: path.resolve(result.folder),
      });
      return await recorder.end("finished");
    },
    async fail(thrown) {
      // Another process trains there: that one is recorded.
      if (codeOf(thrown) === "OUTPUT_IN_USE" && beginning === undefined) return true;
      const { recorder, preparing } = await begin();
      await preparing;
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      recorder.line(reason, "error");
      return await recorder.end(codeOf(thrown) === "CANCELLED" ? "stopped" : "failed", reason);
    },
  };
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
}

/** A run that is known and has begun. */
interface Begun {
  readonly run: RunIdentity;
  readonly recorder: Recorder;
  record(event: TrainEvent): void;
  /** Records what the run that was taken up had told in its last second, up to a step. */
  recordMissed(upTo: number): void;
  /** Keeps a file with the run; where that fails, there is a warning. */
  put(what: string, put: () => Promise<RunArtifact>): Promise<void>;
  /** The files of its beginning. */
  readonly preparing: Promise<unknown>;
}

/** By what the runs of one training are found. */
interface TrainingIdentity {
  readonly output: string;
  readonly configSha256: string;
}

async function beginRecord(
  config: RunConfig,
  { output, configSha256 }: TrainingIdentity,
  parts: TrackingParts,
  {
    experiment = "default",
    name,
    parent = "",
    source = "train",
    tags = {},
    onRun,
  }: RecordingOptions,
  taken: Unfinished | (() => Promise<Unfinished | undefined>),
): Promise<Begun> {
  // Before all that the run makes.
  const now = Date.now();
  const [code, before] = await Promise.all([
    readCodeVersion(process.cwd()),
    typeof taken === "function" ? taken() : taken,
  ]);
  const run: RunIdentity = {
    id: before?.id ?? createRunId(),
    experiment,
    name: name ?? path.basename(output),
    startedAt: before?.startedAt ?? now,
    // Later than any before it, also where clocks differ.
    takenUpAt: before === undefined ? now : Math.max(now, before.takenUpAt + 1),
    source,
    host: hostname(),
    pid: process.pid,
    process: processMark(),
    output,
    configSha256,
    commit: code.isClean ? code.commit : `${code.commit}+`,
    parent,
  };
  onRun?.(run);
  const { sinks, spoolFolder: folder, onWarning } = parts;
  const recorder = createRecorder({
    run,
    outboxes: sinks.map((sink) => openOutbox(sink, run, { folder, onWarning })),
    nextLine: (before?.lastLine ?? -1) + 1,
    readSystem: createSystemReader(process.cwd()),
  });
  const put = async (what: string, put: () => Promise<RunArtifact>) => {
    try {
      recorder.artifact(await put());
    } catch (thrown) {
      onWarning(`${what} of run ${run.id} was not kept: ${toBridleError(thrown).message}`);
    }
  };
  recorder.start(never);
  recorder.params(flattenParams(config));
  recorder.tags({ bridle: bridleVersion, ...(code.branch && { branch: code.branch }), ...tags });
  const environment = {
    bridle: bridleVersion,
    machine: describeMachine(),
    command: process.argv
      .slice(1)
      .map((word, i) => (i === 0 ? path.basename(word) : withoutPasswords(word))),
    folder: process.cwd(),
    git: {
      commit: code.commit,
      branch: code.branch,
      isClean: code.isClean,
      isDiffCut: code.isDiffCut,
      untracked: code.untracked,
    },
  };
  const recordMissed = (upTo: number) => {
    if (before === undefined) return;
    for (const missed of missedEvents(output, before.lastSteps, upTo)) {
      recordEvent(recorder, missed);
    }
  };
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const putText = (file: string, content: string, mediaType: string) =>
    put(file, () => putArtifact(parts.artifacts, file, content, mediaType));
  return {
    run,
    recorder,
    put,
    preparing: Promise.all([
      putText("config.json", json(config), "application/json"),
      putText("environment.json", json(environment), "application/json"),
      ...(code.diff === "" ? [] : [putText("git.diff", code.diff, "text/x-diff")]),
    ]),
    record(event) {
      recordEvent(recorder, event);
      if (event.type === "start") recordMissed(event.step);
    },
    recordMissed,
  };
}

interface Unfinished {
  readonly id: string;
  readonly startedAt: number;
  readonly takenUpAt: number;
  /** The last that was recorded of each. */
  readonly lastLine: number;
  readonly lastSteps: { readonly step: number; readonly evaluation: number };
}

/**
 * What a run that was killed had told in its last second, up to the checkpoint it goes on from: its folder has it, the
 * record does not.
 */
function missedEvents(
  output: string,
  last: Unfinished["lastSteps"],
  upTo: number,
): readonly TrainEvent[] {
  let text: string;
  try {
    text = readFileSync(path.join(output, eventsFile), "utf8");
  } catch {
    return [];
  }
  const isMissed = (step: number, after: number) => step > after && step <= upTo;
  return parseEvents(text).filter((event) => {
    if (event.type === "step") return isMissed(event.step, last.step);
    return event.type === "evaluation" && isMissed(event.report.step, last.evaluation);
  });
}

/**
 * The run that this training was told under when it was killed, stopped or failed.
 * @param failure what the warning says where that cannot be looked up
 */
async function findUnfinished(
  { left, openDatabase, onWarning }: TrackingParts,
  identity: TrainingIdentity,
  lookMs: number,
  failure: string,
): Promise<Unfinished | undefined> {
  const look = async () => {
    await left;
    const database = await openDatabase();
    try {
      return await unfinishedIn(database, identity);
    } finally {
      await database.close();
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const reason = `it gave no answer for ${lookMs / 1000} s`;
    const error = new BridleError("DATABASE_UNAVAILABLE", { database: "of runs", reason });
    timer = setTimeout(() => reject(error), lookMs);
  });
  const looking = look();
  looking.catch(() => {});
  try {
    return await Promise.race([looking, late]);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    onWarning(`${failure}: ${reason}`);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function unfinishedIn(
  database: Database,
  { output, configSha256 }: TrainingIdentity,
): Promise<Unfinished | undefined> {
  await markInterrupted(database, hostname());
  const [latest] = await findRunsOf(database, output, configSha256);
  if (latest === undefined || latest.status === "finished" || latest.status === "running") return;
  const { metrics } = await getRun(database, latest.id);
  const lastStep = (key: string) => metrics[key]?.lastStep ?? 0;
  return {
    ...latest,
    lastLine: await lastLineOf(database, latest.id),
    lastSteps: { step: lastStep("train/loss"), evaluation: lastStep("eval/loss") },
  };
}

/** A file that stays where it is. */
async function referenceTo(file: string, name: string, sha256: string): Promise<RunArtifact> {
  const { size: sizeBytes } = await stat(file);
  return {
    name: `model/${name}`,
    sha256,
    sizeBytes,
    mediaType: "application/octet-stream",
    blob: "",
    uri: path.resolve(file),
    at: Date.now(),
  };
}

function recordEvent(recorder: Recorder, event: TrainEvent): void {
  switch (event.type) {
    case "start":
      recorder.start(event.step);
      recorder.params({
        device: event.device,
        "model.parameters": String(event.parameters),
        "model.learnedParameters": String(event.learnedParameters),
        "train.totalSteps": String(event.totalSteps),
      });
      return;
    case "data": {
      const { split, rows, lostTokens, files } = event.report;
      // One file stands by itself, several as a list, as the configuration has their names.
      const each = (value: (file: (typeof files)[number]) => string | number) =>
        files.length === 1 ? files.map(value)[0] : files.map(value);
      recorder.params(
        flattenParams({
          [`data.rows.${split}`]: rows,
          [`data.lostTokens.${split}`]: lostTokens,
          [`data.sha256.${split}`]: each(({ sha256 }) => sha256),
          [`data.sizeBytes.${split}`]: each(({ sizeBytes }) => sizeBytes),
        }),
      );
      return;
    }
    case "step":
      recorder.metrics(
        {
          "train/loss": event.loss,
          "train/grad_norm": event.gradNorm,
          "train/learning_rate": event.learningRate,
          "train/tokens": event.tokens,
          "train/tokens_per_second": event.tokensPerSecond,
        },
        event,
      );
      return;
    case "evaluation": {
      const { loss, rouge, genLen } = event.report;
      recorder.metrics(
        {
          "eval/loss": loss,
          "eval/rouge1": rouge?.rouge1,
          "eval/rouge2": rouge?.rouge2,
          "eval/rougeL": rouge?.rougeL,
          "eval/rougeLsum": rouge?.rougeLsum,
          "eval/gen_len": genLen,
        },
        event.report,
      );
      return;
    }
    case "checkpoint":
      recorder.tags({
        "checkpoint.step": String(event.step),
        checkpoint: path.resolve(event.folder),
      });
      return;
    case "stopped":
      recorder.tags({ "stopped.step": String(event.step), "stopped.reason": event.reason });
      return;
    default:
      return;
  }
}
