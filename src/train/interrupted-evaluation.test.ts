// An evaluation that is cancelled, fails or is killed loses no step: the run is taken up before it, and comes to the same.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { makeToyRun } from "../../test/support/train-toy.js";
import { checkRunConfig } from "../config/load.js";
import type { RunConfigInput } from "../config/run-config.js";
import { BridleError } from "../errors/error.js";
import type { TrainEvent } from "./events.js";
import { type TrainOptions, train } from "./loop.js";

const failing = vi.hoisted(() => ({ for: undefined as "memory" | "loss" | undefined }));
vi.mock("./evaluation.js", async (importActual) => {
  const actual = await importActual<typeof import("./evaluation.js")>();
  return {
    ...actual,
    createEvaluator(...given: Parameters<typeof actual.createEvaluator>) {
      const evaluator = actual.createEvaluator(...given);
      return {
        ...evaluator,
        async run(...asked: Parameters<typeof evaluator.run>) {
          const found = await evaluator.run(...asked);
          if (failing.for === "memory") {
            throw new BridleError("RUN_MEMORY_SHORT", { reason: "none left" });
          }
          return failing.for === "loss" ? { ...found, loss: Number.NaN } : found;
        },
      };
    },
  };
});

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-evaluations-"));
});
afterEach(() => {
  failing.for = undefined;
});
afterAll(() => rm(root, { recursive: true }));

const average = { averageDecay: 0.9, optimizer: { name: "adafactor", beta1: 0.9 } } as const;
const toy = (options?: RunConfigInput["train"]) =>
  makeToyRun(join(root, `run-${++count}`), { ...average, ...options });

/** @returns what is told, and the code of what the run ended with; none where it came to its end */
async function run(
  input: RunConfigInput,
  stopAt: (event: TrainEvent) => boolean = () => false,
  beforeCheckpoint?: TrainOptions["beforeCheckpoint"],
) {
  const events: TrainEvent[] = [];
  const controller = new AbortController();
  const ended = train(checkRunConfig(input), {
    signal: controller.signal,
    beforeCheckpoint,
    onEvent: (event) => {
      events.push(event);
      if (stopAt(event)) controller.abort();
    },
  });
  const code = await ended.then(
    () => undefined,
    (thrown: BridleError) => thrown.code,
  );
  return { events, code };
}

const outOf = (input: RunConfigInput) => input.train?.output as string;
const checkpointsOf = async (input: RunConfigInput) =>
  (await readdir(join(outOf(input), "checkpoints"))).sort();
const isStep = (step: number) => (event: TrainEvent) => event.type === "step" && event.step >= step;
const stepsIn = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === "step" ? [event.step] : []));
const evaluationsIn = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === "evaluation" ? [event.report] : []));

/** What a run leaves that another one like it leaves too: weights, record and the events of its steps and evaluations. */
async function leftBy(input: RunConfigInput) {
  const out = outOf(input);
  const lines = (await readFile(join(out, "events.jsonl"), "utf8")).trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line) as TrainEvent);
  const { step, evaluation } = JSON.parse(await readFile(join(out, "bridle.json"), "utf8"));
  return {
    weights: await readFile(join(out, "model.safetensors")),
    record: { step, evaluation },
    evaluations: evaluationsIn(events),
    steps: events.flatMap((event) => (event.type === "step" ? [[event.step, event.loss]] : [])),
    checkpoints: events.flatMap((event) => (event.type === "checkpoint" ? [event.step] : [])),
  };
}

/** How the run ends that nobody interrupts. */
async function leftAlone(options?: RunConfigInput["train"]) {
  const input = await toy(options);
  expect((await run(input)).code).toBeUndefined();
  return await leftBy(input);
}

describe("a run whose evaluation does not come to its end", () => {
  it("goes on from that step where it would not have been kept then, and is cancelled", async () => {
    const options = { evaluateEvery: 3, checkpointEvery: 100 };
    const input = await toy(options);
    expect((await run(input, isStep(3))).code).toBe("CANCELLED");
    expect(await checkpointsOf(input)).toEqual(["step-3"]);
    const again = await run(input);
    expect(again.events.find(({ type }) => type === "start")).toMatchObject({ step: 3 });
    expect(evaluationsIn(again.events)[0]?.step).toBe(3);
    expect(stepsIn(again.events)[0]).toBe(4);
    expect(await leftBy(input)).toEqual(await leftAlone(options));
  });

  it("goes on from that step where its evaluation fails, and evaluates first", async () => {
    const options = { evaluateEvery: 3, checkpointEvery: 3 };
    const input = await toy(options);
    failing.for = "memory";
    for (const steps of [[1, 2, 3], []]) {
      const { code, events } = await run(input);
      expect({ code, steps: stepsIn(events) }).toEqual({ code: "RUN_MEMORY_SHORT", steps });
      expect(await checkpointsOf(input)).toEqual(["step-3"]);
    }
    failing.for = undefined;
    const again = await run(input);
    expect(again.events.find(({ type }) => type === "start")).toMatchObject({ step: 3 });
    expect(await leftBy(input)).toEqual(await leftAlone(options));
  });

  it("goes on from before a step whose loss is no number", async () => {
    const input = await toy({ evaluateEvery: 3, checkpointEvery: 3 });
    expect((await run(input, isStep(4))).code).toBe("CANCELLED");
    failing.for = "loss";
    expect((await run(input)).code).toBe("LOSS_NOT_FINITE");
    expect(await checkpointsOf(input)).toEqual(["step-4"]);
  });

  it("tells an evaluation once that was told and not kept, as by a kill between the two", async () => {
    const options = { evaluateEvery: 3, checkpointEvery: 3 };
    const input = await toy(options);
    let kept = 0;
    const killed = await run(input, undefined, async () => {
      if (++kept === 2) throw new BridleError("WRITE_FAILED", { file: "x", reason: "killed" });
    });
    expect(killed.code).toBe("WRITE_FAILED");
    expect(evaluationsIn(killed.events).map(({ step }) => step)).toEqual([3]);
    expect((await run(input)).code).toBeUndefined();
    expect(await leftBy(input)).toEqual(await leftAlone(options));
  });

  it("is out of patience by an evaluation that was cancelled first", async () => {
    const options = {
      ...{ patience: 1, learningRate: 1, maxGradNorm: null, epochs: 3 },
      ...{ evaluateEvery: 1, checkpointEvery: 100 },
    };
    const whole = await toy(options);
    const { events } = await run(whole);
    const last = stepsIn(events).at(-1) as number;
    expect(events.find(({ type }) => type === "stopped")).toMatchObject({ step: last });
    const input = await toy(options);
    expect((await run(input, isStep(last))).code).toBe("CANCELLED");
    const again = await run(input);
    expect(stepsIn(again.events)).toEqual([]);
    expect(again.events.find(({ type }) => type === "stopped")).toMatchObject({ step: last });
    // What is kept because of an interruption is told as no checkpoint.
    const [left, expected] = [await leftBy(input), await leftBy(whole)];
    expect({ ...left, checkpoints: [] }).toEqual({ ...expected, checkpoints: [] });
  });
});

it("evaluates a step once that was evaluated and kept, and writes its weights once", async () => {
  const input = await toy({ evaluateEvery: 3, checkpointEvery: 3 });
  const isEvaluated = ({ type }: TrainEvent) => type === "evaluation";
  const stopped = await run(input, isEvaluated);
  expect(stopped.code).toBe("CANCELLED");
  expect(stopped.events.filter(({ type }) => type === "checkpoint")).toHaveLength(1);
  const folder = join(outOf(input), "checkpoints", "step-3");
  expect((await readdir(folder)).sort()).toEqual(["progress.json", "state.safetensors"]);
  const again = await run(input, isStep(6));
  expect(evaluationsIn(again.events).map(({ step }) => step)).not.toContain(3);
  expect((await run(input)).code).toBeUndefined();
  expect(await checkpointsOf(input)).toHaveLength(1);
  expect(again.events.find(({ type }) => type === "start")).toMatchObject({ step: 3 });
});
