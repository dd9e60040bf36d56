// What the loop of kills kills: training, promotion, sweeps and a server with batches, each with what it has acknowledged.
// @ts-check
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkpointEvery, compiled, trials } from "./scene.mjs";

/** @typedef {import("./scene.mjs").Scene} Scene */
/**
 * @typedef {object} Part
 * @property {() => Promise<boolean>} kill whether it was killed; false where it was done before its time
 * @property {() => Promise<void>} finish brings what was killed to its end, and looks whether that is the right one
 * @property {() => {acknowledged: string, ended: string}} told
 */

/** @param {string} folder @param {string} name */
const weightsOf = async (folder, name) =>
  createHash("sha256")
    .update(await readFile(path.join(folder, name, "model.safetensors")))
    .digest("hex");

/** @param {string} name @param {number} seed */
const trainArgs = (name, seed) => [
  ...["train", "params.yaml", `train.output=${name}`, `train.seed=${seed}`],
  ...["--experiment", "kills", "--run-name", name],
];

/** @param {Scene} scene @returns {Promise<Part>} */
export async function createTraining({
  project,
  calm,
  between,
  expect,
  bridle,
  startAndKill,
  withDatabase,
}) {
  /** @type {typeof import("../../src/track/export.js")} */
  const { readPoints } = await compiled("track/export.js");
  /** @type {typeof import("../../src/track/read.js")} */
  const { listRuns } = await compiled("track/read.js");

  /** The series of a run that training itself tells, as step and value. @param {string} folder @param {string} name */
  async function seriesOf(folder, name) {
    return await withDatabase(folder, async (database) => {
      const { runs } = await listRuns(database, { limit: 1000 });
      const own = runs.filter((run) => run.experiment === "kills" && run.name === name);
      /** @type {Record<string, [number, number | null][]>} */
      const series = {};
      for (const { id } of own) {
        for await (const some of readPoints(database, id, ["train/loss", "eval/loss"])) {
          for (const { key, step, value } of some) {
            series[key] ??= [];
            series[key].push([step, value]);
          }
        }
      }
      return { series, statuses: own.map(({ status }) => status) };
    });
  }

  const training = {
    number: 1,
    /** Points of the current run that could be read. @type {Record<string, [number, number | null][]>} */
    seen: {},
    points: 0,
    get name() {
      return `run-${this.number}`;
    },
    async kill() {
      const { killed } = await startAndKill(trainArgs(this.name, this.number), between(600, 3500));
      await this.look();
      if (!killed) await this.finish();
      return killed;
    },
    /** What could be read before can be read still; a run that goes on from a checkpoint takes back what it does again. */
    async look() {
      const { series } = await seriesOf(project, this.name);
      for (const [key, points] of Object.entries(this.seen)) {
        const now = new Map(series[key]);
        const last = points.at(-1)?.[0] ?? 0;
        const lost = points.filter(
          ([step, value]) => step <= last - (last % checkpointEvery) && now.get(step) !== value,
        );
        expect(
          lost.length === 0,
          `${key} of ${this.name} lost ${JSON.stringify(lost.slice(0, 5))}`,
        );
      }
      this.seen = series;
    },
    async finish() {
      await bridle(project, ...trainArgs(this.name, this.number));
      await bridle(calm, ...trainArgs(this.name, this.number));
      await this.look();
      const [here, there] = [await seriesOf(project, this.name), await seriesOf(calm, this.name)];
      expect(here.statuses.join() === "finished", `${this.name} is ${here.statuses.join()}`);
      expect(
        JSON.stringify(here.series) === JSON.stringify(there.series),
        `${this.name} has not the series of one that nobody killed`,
      );
      expect(
        (await weightsOf(project, this.name)) === (await weightsOf(calm, this.name)),
        `${this.name} has not the weights of one that nobody killed`,
      );
      this.points += Object.values(here.series).reduce((sum, { length }) => sum + length, 0);
      this.number++;
      this.seen = {};
    },
    told() {
      return { acknowledged: `${this.points} points`, ended: `${this.number - 1} runs` };
    },
  };
  return training;
}

/** @param {Scene} scene @returns {Promise<Part>} */
export async function createPromotion({
  project,
  between,
  expect,
  bridle,
  startAndKill,
  placesOf,
}) {
  /** @type {typeof import("../../src/compose.js")} */
  const { openRegistry } = await compiled("compose.js");
  const promotion = {
    /** @type {{move: number, version: number}[]} */
    moves: [],
    next: 0,
    async kill() {
      const version = (this.next++ % 3) + 1;
      const { killed, stdout, stderr } = await startAndKill(
        ["models", "promote", `ship:${version}`, "--alias", "live", "--json"],
        between(300, 1600),
      );
      if (stdout.trim() !== "") {
        const told = JSON.parse(stdout);
        if (told.move === undefined) expect(false, `promote answered ${stdout}`);
        else this.moves.push({ move: told.move, version: told.version });
      } else expect(killed, `promote failed: ${stderr}`);
      await this.look();
      return killed;
    },
    async look() {
      const registry = await openRegistry({ env: placesOf(project) });
      try {
        const { faults } = await registry.check();
        for (const { kind, message } of faults) expect(kind !== "fault", `registry: ${message}`);
        const history = await registry.history("ship", "live").catch(() => []);
        for (const { move, version } of this.moves) {
          const kept = history.find((each) => each.move === move);
          expect(kept?.version === version, `move ${move} to ${version} is not in the history`);
        }
      } finally {
        await registry.close();
      }
    },
    async finish() {
      const told = JSON.parse(
        await bridle(project, "models", "promote", "ship:2", "--alias", "live", "--json"),
      );
      this.moves.push({ move: told.move, version: told.version });
      await this.look();
    },
    told() {
      return { acknowledged: `${this.moves.length} moves`, ended: "alias at its last move" };
    },
  };
  return promotion;
}

/** @param {string} name */
const sweepArgs = (name) => [
  "sweep",
  "sweep.yaml",
  "train.maxSteps=12",
  "train.evaluateEvery=4",
  "train.checkpointEvery=2",
  "--name",
  name,
  "--json",
];

/** @param {string} stdout */
function outlineOf(stdout) {
  const { best, planned, trials: told } = JSON.parse(stdout);
  return JSON.stringify({
    ...{ best: best.number, planned },
    trials: told.map((/** @type {any} */ trial) => [
      ...[trial.number, trial.state, trial.value, trial.step, trial.parameters],
      trial.reports,
    ]),
  });
}

/** @param {Scene} scene @returns {Promise<Part>} */
export async function createSweeping({
  project,
  calm,
  chance,
  between,
  expect,
  bridle,
  startAndKill,
  withDatabase,
}) {
  /** @type {typeof import("../../src/loop/sweep/sweep-store.js")} */
  const { readTrials } = await compiled("loop/sweep/sweep-store.js");
  const sweeping = {
    number: 1,
    hasBegun: false,
    /** Trials of the current sweep that had ended. @type {Map<number, string>} */
    seen: new Map(),
    trials: 0,
    /** How every one of them ends. */
    expected: "",
    get name() {
      return `search-${this.number}`;
    },
    async kill() {
      const args = [...sweepArgs(this.name), ...(this.hasBegun ? ["--resume"] : [])];
      // The sweep alone, or its trial's process with it.
      const withTrial = chance() < 0.5;
      const { killed, stdout, stderr } = await startAndKill(args, between(1500, 14_000), withTrial);
      this.hasBegun = await this.look();
      if (!killed && stdout.trim() === "") throw new Error(`${this.name} failed: ${stderr}`);
      if (!killed) await this.close(stdout);
      return killed;
    },
    /** What had ended has ended as it did. @returns whether it is there */
    async look() {
      return await withDatabase(project, async (database) => {
        const now = await readTrials(database, this.name);
        for (const [number, ended] of this.seen) {
          const kept = JSON.stringify({ ...now[number], run: null });
          expect(kept === ended, `trial ${number} of ${this.name} was ${ended} and is ${kept}`);
        }
        for (const trial of now) {
          if (trial.endedAtMs === null) continue;
          this.seen.set(trial.number, JSON.stringify({ ...trial, run: null }));
        }
        const { rows } = await database.query("SELECT 1 FROM sweep WHERE name = $1", [this.name]);
        return rows.length > 0;
      });
    },
    async finish() {
      const resume = this.hasBegun ? ["--resume"] : [];
      await this.close(await bridle(project, ...sweepArgs(this.name), ...resume));
    },
    /** @param {string} stdout */
    async close(stdout) {
      await this.look();
      if (this.expected === "") {
        this.expected = outlineOf(await bridle(calm, ...sweepArgs("search")));
      }
      expect(outlineOf(stdout) === this.expected, `${this.name} did not end as planned: ${stdout}`);
      const list = ["runs", "list", "--experiment", this.name, "--limit", "100", "--json"];
      const { runs } = JSON.parse(await bridle(project, ...list));
      expect(runs.length === trials, `${this.name} has ${runs.length} runs for ${trials} trials`);
      this.trials += trials;
      this.number++;
      this.hasBegun = false;
      this.seen = new Map();
    },
    told() {
      return {
        acknowledged: `${this.trials} trials`,
        ended: `${this.number - 1} sweeps as planned`,
      };
    },
  };
  return sweeping;
}

const documents = 2500;

/** @param {Scene} scene @returns {Promise<Part & {serve(): Promise<void>, stop(): Promise<void>}>} */
export async function createServing({ project, between, expect, start }) {
  const serving = {
    /** @type {ReturnType<typeof start> | undefined} */
    server: undefined,
    url: "",
    /** Ids that were acknowledged, each with the answers that were told of it. @type {Map<string, Map<number, string>>} */
    batches: new Map(),
    answers: 0,
    async serve() {
      this.server = start(project, ["serve", "--port", "0", "--json"]);
      while (!this.server.told.stdout.includes("\n")) {
        if (this.server.told.isOver) throw new Error(`serve: ${this.server.told.stderr}`);
        await sleep(20);
      }
      this.url = JSON.parse(this.server.told.stdout.split("\n")[0] ?? "").listening;
    },
    async send() {
      const lines = Array.from({ length: documents }, (_, n) => {
        const crates = Array.from({ length: 150 }, (_, k) => `Crate ${k} held cloth of ship ${n}.`);
        return JSON.stringify({ id: `d${n}`, document: `Ship ${n} came. ${crates.join(" ")}` });
      });
      const sent = await fetch(`${this.url}/v1/batches`, {
        method: "POST",
        headers: { "content-type": "application/x-ndjson" },
        body: lines.join("\n"),
      });
      const { id } = /** @type {{id: string}} */ (await sent.json());
      expect(sent.status === 202, `a batch was answered ${sent.status}`);
      this.batches.set(id, new Map());
    },
    /** @param {string} id @returns {Promise<any>} */
    async look(id) {
      const answer = await fetch(`${this.url}/v1/batches/${id}`);
      expect(answer.status === 200, `batch ${id} is answered ${answer.status}`);
      return await answer.json();
    },
    async isRunning() {
      const last = [...this.batches.keys()].at(-1);
      return last !== undefined && (await this.look(last)).state !== "done";
    },
    /** @param {string} id */
    async results(id) {
      const text = await (await fetch(`${this.url}/v1/batches/${id}/results`)).text();
      const told = /** @type {Map<number, string>} */ (this.batches.get(id));
      /** @type {number[]} */
      const lines = [];
      for (const each of text.split("\n")) {
        if (each === "") continue;
        const { line, result } = JSON.parse(each);
        lines.push(line);
        const before = told.get(line);
        expect(
          before === undefined || before === result.id,
          `line ${line} of ${id} was done twice`,
        );
        told.set(line, result.id);
      }
      const missing = [...told.keys()].filter((line) => !lines.includes(line));
      expect(missing.length === 0, `answers of ${id} are lost: ${missing.slice(0, 5).join(", ")}`);
      return lines;
    },
    async kill() {
      if (!(await this.isRunning())) await this.send();
      await sleep(between(0, 1500));
      // It is killed in the middle of a batch.
      if (!(await this.isRunning())) await this.send();
      const open = [...this.batches.keys()].at(-1);
      if (open !== undefined) await this.results(open);
      this.server?.child.kill("SIGKILL");
      await this.server?.ended;
      await this.serve();
      return true;
    },
    async finish() {
      for (const id of this.batches.keys()) {
        while (!["done", "cancelled"].includes((await this.look(id)).state)) await sleep(100);
        const { documents: told } = await this.look(id);
        expect(told.done === documents, `batch ${id}: ${JSON.stringify(told)}`);
        const lines = await this.results(id);
        const isWhole = lines.length === documents && lines.every((line, n) => line === n + 1);
        expect(isWhole, `batch ${id} has not one answer for each line`);
        this.answers += lines.length;
      }
      this.server?.child.kill("SIGTERM");
      await this.server?.ended;
    },
    /** Where something else went wrong. */
    async stop() {
      if (this.server?.told.isOver !== false) return;
      this.server.child.kill("SIGKILL");
      await this.server.ended;
    },
    told() {
      return { acknowledged: `${this.answers} answers`, ended: `${this.batches.size} batches` };
    },
  };
  return serving;
}
