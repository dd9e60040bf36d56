// Joins training and tracking: what a training run tells becomes events of a tracked run, and it never waits for them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import type { RunConfig } from "../config/run-config.js";
import { bridleVersion } from "../config/version.js";
import { BridleError, toBridleError } from "../errors/error.js";
import type { BlobStore } from "../ports/blob-store.js";
import type { Database } from "../ports/database.js";
import type { EventSink, RunArtifact, RunIdentity } from "../ports/event-sink.js";
import { putArtifact } from "../track/artifacts.js";
import { readCodeVersion } from "../track/code-version.js";
import { markInterrupted } from "../track/interrupted.js";
import { openOutbox } from "../track/outbox.js";
import { findRunsOf, getRun, lastLineOf } from "../track/read.js";
import { createRecorder, createRunId, flattenParams, type Recorder } from "../track/recorder.js";
import { createSystemReader, describeMachine } from "../track/system.js";
import type { TrainEvent } from "../train/events.js";
import type { TrainResult } from "../train/loop.js";
import { eventsFile } from "../train/run-folder.js";
import { recordFile } from "../train/trained-model.js";

/** What recording works with, put together by compose. */
export interface TrackingParts {
  readonly sinks: readonly EventSink[];
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
}

export interface TrainingRecord {
  readonly run: RunIdentity;
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

/** Begins to record a training. Never throws for what the sinks are not able to do. */
export async function recordTraining(
  config: RunConfig,
  parts: TrackingParts,
  { experiment = "default", name, parent = "", source = "train", tags = {} }: RecordingOptions = {},
): Promise<TrainingRecord> {
  const output = path.resolve(config.train.output);
  const configSha256 = createHash("sha256").update(JSON.stringify(config)).digest("hex");
  const code = await readCodeVersion(process.cwd());
  const before = await findUnfinished(parts, output, configSha256);
  const run: RunIdentity = {
    id: before?.id ?? createRunId(),
    experiment,
    name: name ?? path.basename(output),
    startedAt: before?.startedAt ?? Date.now(),
    source,
    host: hostname(),
    pid: process.pid,
    output,
    configSha256,
    commit: code.commit === "" || code.diff === "" ? code.commit : `${code.commit}+`,
    parent,
  };
  const { sinks, spoolFolder: folder, onWarning } = parts;
  const recorder = createRecorder({
    run,
    outboxes: sinks.map((sink) => openOutbox(sink, run, { folder, onWarning })),
    nextLine: (before?.lastLine ?? -1) + 1,
    readSystem: createSystemReader(process.cwd()),
  });
  const keep = async (what: string, put: () => Promise<RunArtifact>) => {
    try {
      recorder.artifact(await put());
    } catch (thrown) {
      onWarning(`${what} of run ${run.id} was not kept: ${toBridleError(thrown).message}`);
    }
  };
  const put = (file: string, content: string, mediaType: string) =>
    keep(file, () => putArtifact(parts.artifacts, file, content, mediaType));
  let preparing: Promise<unknown> = Promise.resolve();
  let hasBegun = false;
  const held: TrainEvent[] = [];
  const begin = () => {
    if (hasBegun) return;
    hasBegun = true;
    recorder.start(never);
    for (const event of held.splice(0)) recordEvent(recorder, event);
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
        isDiffCut: code.isDiffCut,
        untracked: code.untracked,
      },
    };
    const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
    preparing = Promise.all([
      put("config.json", json(config), "application/json"),
      put("environment.json", json(environment), "application/json"),
      ...(code.diff === "" ? [] : [put("git.diff", code.diff, "text/x-diff")]),
    ]);
  };
  // A folder with a trained model may turn out to hold this very one; then nothing is trained, and nothing recorded.
  const mayBeDone = await stat(path.join(output, recordFile)).then(
    () => true,
    () => false,
  );
  if (!mayBeDone) begin();
  return {
    run,
    onEvent(event) {
      if (event.type === "start") begin();
      if (hasBegun) recordEvent(recorder, event);
      else if (event.type !== "preparation") held.push(event);
      if (event.type === "start" && before !== undefined) {
        for (const missed of missedEvents(output, before.lastSteps, event.step)) {
          recordEvent(recorder, missed);
        }
      }
    },
    line: (text) => {
      if (hasBegun) recorder.line(text);
    },
    keep: () => recorder.keep(),
    tag: (given) => {
      if (hasBegun) recorder.tags(given);
    },
    async finish(result) {
      if (!hasBegun) return true;
      await preparing;
      for (const { file, sha256 } of result.record.weights ?? []) {
        await keep(file, () => referenceTo(path.join(result.folder, file), file, sha256));
      }
      const bridleJson = path.join(result.folder, recordFile);
      await keep(recordFile, async () =>
        putArtifact(parts.artifacts, recordFile, await readFile(bridleJson), "application/json"),
      );
      recorder.tags({
        "best.step": String(result.record.step),
        model: path.resolve(result.folder),
      });
      return await recorder.end("finished");
    },
    async fail(thrown) {
      begin();
      await preparing;
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      recorder.line(reason, "error");
      const wasStopped = thrown instanceof BridleError && thrown.code === "CANCELLED";
      return await recorder.end(wasStopped ? "stopped" : "failed", reason);
    },
  };
}

interface Unfinished {
  readonly id: string;
  readonly startedAt: number;
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
  return text
    .split("\n")
    .map(eventIn)
    .filter((event): event is TrainEvent => {
      if (event?.type === "step") return isMissed(event.step, last.step);
      return event?.type === "evaluation" && isMissed(event.report.step, last.evaluation);
    });
}

/** Undefined for a line that was cut off. */
function eventIn(line: string): TrainEvent | undefined {
  try {
    return JSON.parse(line) as TrainEvent;
  } catch {
    return undefined;
  }
}

/** The run that this training was told under when it was killed, stopped or failed. */
async function findUnfinished(
  { openDatabase, onWarning }: TrackingParts,
  output: string,
  configSha256: string,
): Promise<Unfinished | undefined> {
  let database: Database | undefined;
  try {
    database = await openDatabase();
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
  } catch (thrown) {
    onWarning(`Earlier runs are not looked at: ${toBridleError(thrown).message}`);
    return undefined;
  } finally {
    await database?.close();
  }
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
    case "data":
      recorder.params({
        [`data.rows.${event.report.split}`]: String(event.report.rows),
        [`data.lostTokens.${event.report.split}`]: String(event.report.lostTokens),
      });
      return;
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

/** A word of a command line as it may be kept and shown: addresses in it, `mlflow=https://me:secret@host` too, lose their passwords. */
export function withoutPasswords(word: string): string {
  return word
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^/:?#]*):[^/?#]*@/gi, "$1@")
    .replace(/([?&](?:ssl)?(?:password|token)=)[^&]*/gi, "$1…");
}
