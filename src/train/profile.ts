// Where the time of a training step goes: a few steps of a run as it is configured, kept nowhere.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { thisMachine } from "../config/machine.js";
import type { RunConfig } from "../config/run-config.js";
import { type Profile, summarize } from "../runtime/profile/profile.js";
import { Profiler } from "../runtime/profile/profiler.js";
import { measureRoofs } from "../runtime/profile/roofline.js";
import { traceLines } from "../runtime/profile/trace.js";
import { chooseDevice } from "../runtime/session.js";
import type { TrainEvent } from "./events.js";
import { type TrainOptions, train } from "./loop.js";

export type { Profile };

export interface ProfileTrainingOptions
  extends Pick<TrainOptions, "onEvent" | "signal" | "onDownload" | "sources"> {
  /** Steps that are measured. */
  readonly steps: number;
  /** Steps before them, in which memory is taken and caches fill. */
  readonly warmUp: number;
}

export interface TrainingProfile extends Profile {
  readonly device: string;
  readonly threads: number;
  /** Tokens of a step that are not padding, documents and summaries together, on average. */
  readonly tokens: number;
  /** The lines of a trace file. */
  readonly trace: readonly string[];
}

/** Ends a run that has done its steps, before it evaluates or writes anything. */
class StepsDone extends Error {}

/**
 * Trains for a few steps and tells where their time went. The run's output is not touched, nothing is evaluated, and no
 * checkpoint is written.
 * @throws what `train` throws
 */
export async function profileTraining(
  config: RunConfig,
  { steps, warmUp, onEvent, ...options }: ProfileTrainingOptions,
): Promise<TrainingProfile> {
  const device = await chooseDevice(config.train.device);
  const threads = config.train.threads ?? thisMachine().threads;
  const scratch = await mkdtemp(join(tmpdir(), "bridle-profile-train-"));
  const profiler = await Profiler.create();
  let tokens = 0;
  const watch = (event: TrainEvent) => {
    onEvent?.(event);
    if (event.type !== "step") return;
    if (event.step > warmUp) tokens += event.tokens;
    if (event.step === warmUp) profiler.begin();
    if (event.step === warmUp + steps) throw new StepsDone();
  };
  // One step more than is done: after the last one a run is evaluated and kept.
  const { evaluateEvery: _, checkpointEvery: __, ...rest } = config.train;
  const far = warmUp + steps + 1;
  const short: RunConfig = {
    ...config,
    data: { ...config.data, validation: undefined },
    train: {
      ...{ ...rest, output: join(scratch, "run"), logEvery: 1, maxSteps: far },
      ...{ evaluateEvery: far, checkpointEvery: far, threads },
    },
  };
  try {
    await train(short, { ...options, profiler, onEvent: watch }).catch((thrown: unknown) => {
      if (!(thrown instanceof StepsDone)) throw thrown;
    });
    const sessions = await profiler.sessions();
    const { spans } = profiler;
    const isWhole = ({ name }: { readonly name: string }) => name === "step";
    const whole = spans.filter(isWhole);
    const profile = summarize({
      unit: "step",
      whole,
      parts: spans.filter((span) => !isWhole(span)),
      sessions,
      rest: "rest",
      roofs: await measureRoofs({ device, threads }, { whole: false }),
    });
    const trace = [...traceLines(`bridle profile train, ${whole.length} steps`, spans, sessions)];
    return { ...profile, device, threads, tokens: tokens / Math.max(1, whole.length), trace };
  } finally {
    await profiler.remove();
    await rm(scratch, { recursive: true, force: true });
  }
}
