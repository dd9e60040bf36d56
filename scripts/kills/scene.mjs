// Where the loop of kills plays: a project and one beside it that nobody disturbs, commands, chance, and what was found wrong.
// @ts-check
import { execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../postgres.mjs";

const binary = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** @param {string} file a file of dist/, typed by its source */
export const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);

/** Numbers of 0..1, the same for the same seed, by mulberry32. @param {number} seed */
function createChance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(BRIDLE_|PORT$|NODE_OPTIONS$)/.test(name)),
);

/** Databases of projects that have one elsewhere than in their folder. @type {Map<string, string>} */
const databases = new Map();

/** Where a project's rows and files lie, as the environment says it. @param {string} folder @returns {Record<string, string>} */
function placesOf(folder) {
  const url = databases.get(folder);
  return { BRIDLE_HOME: path.join(folder, ".bridle"), ...(url && { BRIDLE_DB: url }) };
}

/** @param {string} folder @param {readonly string[]} args */
function start(folder, args) {
  const child = spawn(process.execPath, [binary, ...args], {
    cwd: folder,
    env: { ...environment, ...placesOf(folder) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const told = { stdout: "", stderr: "", isOver: false };
  child.stdout.setEncoding("utf8").on("data", (text) => (told.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (told.stderr += text));
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => {
    child.once("close", (code) => {
      told.isOver = true;
      resolve(code);
    });
  });
  return { child, told, ended };
}

/** Runs a command to its end. @param {string} folder @param {...string} args */
export async function bridle(folder, ...args) {
  const { told, ended } = start(folder, args);
  const code = await ended;
  if (code !== 0) throw new Error(`bridle ${args.join(" ")}: ${code}\n${told.stderr}`);
  return told.stdout;
}

/** Processes that were started by one. @param {number} pid */
function childrenOf(pid) {
  try {
    const list = execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
    return list.split("\n").flatMap((line) => (line.trim() === "" ? [] : [Number(line)]));
  } catch {
    return [];
  }
}

export const steps = 400;
export const checkpointEvery = 10;
export const trials = 6;

/** @param {string} folder */
export async function makeProject(folder) {
  await mkdir(folder, { recursive: true });
  const rows = Array.from({ length: 60 }, (_, i) => ({
    document: `Ship ${i} came into the harbour at noon. It brought grain and left with cloth.`,
    summary: `Ship ${i} came.`,
  })).map((row) => `${JSON.stringify(row)}\n`);
  await writeFile(path.join(folder, "train.jsonl"), rows.join(""));
  await writeFile(path.join(folder, "valid.jsonl"), rows.slice(0, 8).join(""));
  await bridle(
    folder,
    ...["tokenizer", "train", "train.jsonl", "--vocab-size", "45", "--output", "tokenizer"],
  );
  const params = {
    model: {
      tokenizer: "tokenizer",
      config: {
        ...{ vocab_size: 200, d_model: 32, encoder_layers: 1, decoder_layers: 1 },
        ...{ encoder_attention_heads: 4, decoder_attention_heads: 4, encoder_ffn_dim: 64 },
        ...{ decoder_ffn_dim: 64, max_position_embeddings: 128 },
      },
    },
    data: { train: "train.jsonl", validation: "valid.jsonl", maxTargetTokens: 24 },
    train: { maxSteps: steps, evaluateEvery: 20, checkpointEvery, logEvery: 1, threads: 1 },
    evaluate: { generate: false },
  };
  await writeFile(path.join(folder, "params.yaml"), JSON.stringify(params));
  const sweep = {
    space: { "train.learningRate": { min: 1e-4, max: 1e-2, log: true } },
    sampler: { name: "tpe", startupTrials: 3 },
    pruner: { name: "median", startupTrials: 2 },
    trials,
  };
  await writeFile(path.join(folder, "sweep.yaml"), JSON.stringify(sweep));
}

/** @typedef {Awaited<ReturnType<typeof openScene>>} Scene */

/** Makes both projects. @param {number} seed @param {"sqlite" | "postgres"} db what they keep their rows in */
export async function openScene(seed, db = "sqlite") {
  /** @type {typeof import("../../src/compose.js")} */
  const { openRuns } = await compiled("compose.js");
  const scratch = await mkdtemp(path.join(tmpdir(), "bridle-kills-"));
  const project = path.join(scratch, "project");
  /** Where nobody kills: how everything is to end. */
  const calm = path.join(scratch, "calm");
  const server = db === "postgres" ? await startPostgres() : undefined;
  for (const folder of [project, calm]) {
    if (server !== undefined) databases.set(folder, await server.createSchema());
    await makeProject(folder);
  }
  const chance = createChance(seed);
  /** @type {string[]} */
  const wrong = [];
  return {
    ...{ project, calm, chance, wrong, start, bridle, placesOf },
    /** @param {number} low @param {number} high */
    between: (low, high) => low + chance() * (high - low),
    /** @param {boolean} held @param {string} told */
    expect(held, told) {
      if (held) return;
      wrong.push(told);
      console.log(`  WRONG: ${told}`);
    },
    /**
     * Starts a command and kills it after some time, its children with it where that is said.
     * @param {readonly string[]} args @param {number} afterMs @param {boolean} [withChildren]
     * @returns {Promise<{killed: boolean, stdout: string, stderr: string}>} not killed where it was done before
     */
    async startAndKill(args, afterMs, withChildren = false) {
      const { child, told, ended } = start(project, args);
      await Promise.race([ended, sleep(afterMs)]);
      if (!told.isOver) {
        const children = withChildren ? childrenOf(/** @type {number} */ (child.pid)) : [];
        child.kill("SIGKILL");
        for (const pid of children) {
          try {
            process.kill(pid, "SIGKILL");
          } catch {
            // It has ended by itself since.
          }
        }
      }
      await ended;
      return { ...told, killed: child.signalCode === "SIGKILL" };
    },
    /**
     * @template Result
     * @param {string} folder
     * @param {(database: import("../../src/ports/database.js").Database) => Promise<Result>} work
     */
    async withDatabase(folder, work) {
      const database = await openRuns(undefined, placesOf(folder));
      try {
        return await work(database);
      } finally {
        await database.close();
      }
    },
    /** @param {boolean} isKept */
    async close(isKept) {
      await server?.close();
      if (isKept) console.log(`kept: ${scratch}`);
      else await rm(scratch, { recursive: true, force: true });
    },
  };
}
