// Admission over simulated hours, by a made clock: who is let in is done in time, and nothing stands idle for it.
import { expect, it } from "vitest";
import { toBridleError } from "../errors/error.js";
import { createRandom } from "../generate/random.js";
import { createAdmission } from "./admission.js";

interface Load {
  readonly concurrency: number;
  readonly deadlineMs: number;
  /** Simulated time. */
  readonly untilMs: number;
  /** What a piece takes alone. */
  readonly workMs: (random: () => number) => number;
  /** How many pieces' worth is done at a time where so many are at work. */
  readonly speed: (active: number, clock: number) => number;
  /** How many times what can be done comes, at a time. */
  readonly pressure: (clock: number) => number;
  /** Share of those who go away before they are answered. */
  readonly leaving?: number;
}

interface Outcome {
  answered: number;
  /** Refused on coming. */
  refused: number;
  /** Let in, and told at its turn that it would not be done. */
  inVain: number;
  /** Let in, and not done in time. */
  late: number;
  /** Pieces that could have been done with all places always taken. */
  possible: number;
}

interface Piece {
  left: number;
  readonly end: () => void;
}

/** Lets everything happen that follows from what has happened, in no time. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function simulate(load: Load): Promise<Outcome> {
  const { concurrency, deadlineMs, untilMs, workMs, speed, pressure, leaving = 0 } = load;
  const random = createRandom(7);
  const drawn = createRandom(9);
  const mean = Array.from({ length: 20_000 }, () => workMs(drawn)).reduce((a, b) => a + b) / 20_000;
  let clock = 0;
  const limits = { concurrency, queueLimit: 100_000, maxBufferedBytes: 1 };
  const admission = createAdmission(limits, () => clock);
  const active = new Set<Piece>();
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const outcome: Outcome = { answered: 0, refused: 0, inVain: 0, late: 0, possible: 0 };

  async function ask(): Promise<void> {
    const cut = new AbortController();
    const abort = (name: string) => () => cut.abort(new DOMException("over", name));
    timers.push({ at: clock + deadlineMs, run: abort("TimeoutError") });
    if (random() < leaving)
      timers.push({ at: clock + random() * deadlineMs, run: abort("AbortError") });
    const left = workMs(random);
    let waited = false;
    const asked = admission.run(
      cut.signal,
      () =>
        new Promise<void>((resolve, reject) => {
          const piece = { left, end: resolve };
          active.add(piece);
          cut.signal.addEventListener("abort", () => {
            active.delete(piece);
            reject(cut.signal.reason);
          });
        }),
      deadlineMs,
    );
    void settle().then(() => {
      waited = true;
    });
    try {
      await asked;
      outcome.answered += 1;
    } catch (thrown) {
      if (toBridleError(thrown).code === "DEADLINE_OUT_OF_REACH")
        outcome[waited ? "inVain" : "refused"] += 1;
      else if ((cut.signal.reason as Error).name === "TimeoutError") outcome.late += 1;
    }
  }

  const come = (): void => {
    void ask();
    const perMs = (pressure(clock) * speed(concurrency, clock)) / mean;
    timers.push({ at: clock - Math.log(1 - random()) / perMs, run: come });
  };
  come();
  while (clock < untilMs) {
    await settle();
    const each = active.size === 0 ? 0 : speed(active.size, clock) / active.size;
    let [first] = active;
    for (const piece of active) if (piece.left < (first as Piece).left) first = piece;
    const endsAt = first === undefined ? Number.POSITIVE_INFINITY : clock + first.left / each;
    const firesAt = timers.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
    const at = Math.min(endsAt, firesAt);
    for (const piece of active) piece.left -= (at - clock) * each;
    outcome.possible += ((at - clock) * speed(concurrency, clock)) / mean;
    clock = at;
    if (endsAt <= firesAt && first !== undefined) {
      active.delete(first);
      first.end();
      continue;
    }
    const due = timers.filter((timer) => timer.at <= at);
    timers = timers.filter((timer) => timer.at > at);
    for (const { run } of due) run();
  }
  return outcome;
}

const minutes = 60_000;
const twice = () => 2;
/** A model on few processors: eight documents that share its steps are read twice as fast as one by one. */
const model = {
  ...{ concurrency: 8, deadlineMs: 60_000, untilMs: 120 * minutes },
  workMs: (random: () => number) => 1500 + 6000 * random(),
  speed: (active: number) => active ** 0.35,
};
/** Workers of their own; some pieces take ten times as long as others, and two thirds of the deadline. */
const workers = {
  ...{ concurrency: 8, deadlineMs: 60_000, untilMs: 120 * minutes },
  workMs: (random: () => number) =>
    Math.min(
      40_000,
      6000 * Math.exp(0.8 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(6.283 * random())),
    ),
  speed: (active: number) => active,
};

/** Share of those let in that were not answered in time, nearly all of whom must be. */
const failed = ({ answered, late, inVain }: Outcome) =>
  (late + inVain) / (answered + late + inVain);

const slowAtTimes = (active: number, clock: number) =>
  model.speed(active) * (Math.floor(clock / (7 * minutes)) % 2 === 0 ? 1 : 0.5);

/** Others use the machine too: each twenty seconds it has another pace, down to two thirds. */
const uneven = (active: number, clock: number) =>
  model.speed(active) * (1 - ((Math.floor(clock / 20_000) * 7919) % 97) / 291);

it.each<[string, Load, number, number]>([
  ["a model", { ...model, pressure: twice }, 0, 0.97],
  ["a model whose callers often leave", { ...model, pressure: twice, leaving: 0.2 }, 0, 0.9],
  ["workers of their own", { ...workers, pressure: twice }, 0.01, 0.97],
  [
    "a model on a machine that is at times half as fast",
    { ...model, pressure: twice, speed: slowAtTimes },
    ...([0.03, 0.95] as const),
  ],
  [
    "a model on a machine of uneven pace",
    { ...model, pressure: twice, speed: uneven },
    ...([0, 0.97] as const),
  ],
])(
  "%s, asked for twice what it can do, does all of that, and in time what it takes on",
  async (_, load, mostFailed, leastDone) => {
    const outcome = await simulate(load);
    expect(failed(outcome)).toBeLessThanOrEqual(mostFailed);
    expect(outcome.answered / outcome.possible).toBeGreaterThanOrEqual(leastDone);
  },
);

it("a model that had little to do learns soon what it can do when all come at once", async () => {
  const pressure = (clock: number) => (Math.floor(clock / (10 * minutes)) % 2 === 0 ? 0.2 : 2);
  const outcome = await simulate({ ...model, pressure, untilMs: 200 * minutes });
  expect(failed(outcome)).toBeLessThanOrEqual(0.01);
});

it.each<[string, Load, number]>([
  ["a model", { ...model, deadlineMs: 120_000, pressure: () => 0.7 }, 0],
  // What takes two thirds of a minute now and then looks like more to come.
  ["workers of their own", { ...workers, deadlineMs: 120_000, pressure: () => 0.7 }, 0.001],
  [
    "a model that is asked for as much as it can do at times",
    {
      ...{ ...model, deadlineMs: 120_000 },
      pressure: (clock) => (Math.floor(clock / minutes) % 4 === 0 ? 1 : 0.5),
    },
    0,
  ],
])("%s with time enough for all refuses nobody, or hardly anybody", async (_, load, most) => {
  const outcome = await simulate(load);
  expect(outcome).toMatchObject({ inVain: 0, late: 0 });
  expect(outcome.answered).toBeGreaterThan(500);
  expect(outcome.refused / outcome.answered).toBeLessThanOrEqual(most);
});
