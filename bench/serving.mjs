// `bridle serve` beside FastAPI with transformers and with CTranslate2: throughput, latency, memory, start to first answer.
// node bench/serving.mjs [--quick] [--runs 5] [--seconds 60] [--compare] [--starts] [--soak] [--minutes 10] [--workers 1] [--without transformers]...
// Beside the peers (--compare; with --starts only the time to the first answer), and then twice what can be answered (--soak); both unless one is asked for.
// @ts-check
import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  cacheFolder,
  createRandom,
  makeCheckpoint,
  makeDocument,
  shapes,
} from "./frame/checkpoint.mjs";
import { median } from "./frame/child.mjs";
import { closedLoop, percentile, post, residentBytes } from "./frame/load.mjs";
import { makePython, packageVersions, transformersPackages } from "./frame/python.mjs";
import { lessIsBetter, machine, report } from "./frame/report.mjs";
import { soak } from "./frame/soak.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string", default: "5" },
    seconds: { type: "string", default: "60" },
    without: { type: "string", multiple: true, default: [] },
    compare: { type: "boolean", default: false },
    starts: { type: "boolean", default: false },
    soak: { type: "boolean", default: false },
    minutes: { type: "string", default: "10" },
    workers: { type: "string", default: "1" },
  },
});
const name = values.quick ? "small" : "distil";
const shape = shapes[name];
const runs = values.quick ? 1 : Number(values.runs);
const seconds = values.quick ? 5 : Number(values.seconds);
const clientCounts = values.starts ? [] : [1, 8, 64];
const [beams, newTokens] = [8, 32];
const threads = os.availableParallelism();
const started = machine();
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = await makeCheckpoint(name, shape);

/** Around 256 tokens, from a quarter of that to nearly twice; the same for every side. */
const random = createRandom(11);
const lengths = Array.from({ length: 64 }, () => 64 + Math.floor(random() * 385));
const documents = lengths.map((tokens, i) => makeDocument(shape, tokens, i));
/** What the first answer is waited for with. */
const first = makeDocument(shape, 256, 1000);

/** @typedef {{summary: string, inputTokens: number, outputTokens: number}} Told */
/**
 * @typedef {object} Side
 * @property {string} name
 * @property {(port: number) => {program: string, args: string[], env?: Record<string, string>}} command
 * @property {string} route
 * @property {(document: string) => object} body
 * @property {(body: string) => Told} read
 */

/** @param {string} label @param {string[]} [more] @returns {Side} */
const bridle = (label, more = []) => ({
  name: label,
  command: (port) => ({
    program: process.execPath,
    args: [
      ...[path.join(root, "dist", "cli", "main.js"), "serve", "--port", String(port)],
      ...["--model", folder, "--dtype", "int8", "--device", "cpu", "--log-level", "warn"],
      // Everybody is let in, as the peers do, and nobody is sent away or late.
      ...["--concurrency", "64", "--queue-limit", "1000", "--deadline-ms", "3600000"],
      ...["--slow-request-ms", "3600000", ...more],
    ],
    env: { BRIDLE_HOME: path.join(cacheFolder, "home") },
  }),
  route: "/v1/summaries",
  body: (document) => ({
    document,
    parameters: { numBeams: beams, maxNewTokens: newTokens, minNewTokens: newTokens },
  }),
  read: (text) => {
    const { summary, usage } = JSON.parse(text);
    return { summary, inputTokens: usage.inputTokens, outputTokens: usage.outputTokens };
  },
});
const [own, ownProcesses] = [
  bridle("Bridle"),
  bridle(`Bridle, ${threads} processes`, ["--workers", String(threads)]),
];

/** @param {string} python @param {string} label @param {string} file @param {object} [more] @param {Record<string, string>} [env] @returns {Side} */
function peer(python, label, file, more = {}, env = {}) {
  return {
    name: label,
    command: (port) => ({
      program: python,
      args: [
        fileURLToPath(new URL(`./peers/${file}`, import.meta.url)),
        JSON.stringify({
          ...{ folder, port, threads, beams, newTokens },
          ...{ converted: `${folder}-ctranslate2-int8`, ...more },
        }),
      ],
      env: { HF_HUB_OFFLINE: "1", TRANSFORMERS_VERBOSITY: "error", ...env },
    }),
    route: "/summarize",
    body: (document) => ({ content: document }),
    read: (text) => JSON.parse(text),
  };
}

/** A port that nobody listens on. */
async function freePort() {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}

/**
 * Starts a service and waits for its first answer.
 * @param {Side} side
 */
async function start(side) {
  const port = await freePort();
  const { program, args, env } = side.command(port);
  const began = performance.now();
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    complaints = (complaints + chunk).slice(-5000);
  });
  const url = `http://127.0.0.1:${port}${side.route}`;
  /** @param {string} document @param {import("node:http").Agent} [agent] */
  const ask = async (document, agent) => {
    const { status, ms, body } = await post(url, side.body(document), agent ? { agent } : {});
    if (status !== 200) throw new Error(`${side.name} answered ${status}: ${body}\n${complaints}`);
    return { ms, told: side.read(body) };
  };
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${side.name} ended:\n${complaints}`);
    try {
      await ask(first);
      break;
    } catch (thrown) {
      if (/** @type {NodeJS.ErrnoException} */ (thrown).code !== "ECONNREFUSED") throw thrown;
      await sleep(20);
    }
  }
  return {
    url,
    firstAnswerS: (performance.now() - began) / 1000,
    pid: /** @type {number} */ (child.pid),
    /** @param {number} index @param {import("node:http").Agent} agent */
    async askNext(index, agent) {
      const at = index % documents.length;
      const { ms, told } = await ask(/** @type {string} */ (documents[at]), agent);
      if (told.outputTokens !== newTokens || told.inputTokens !== lengths[at]) {
        const { inputTokens, outputTokens } = told;
        throw new Error(`${side.name} read ${inputTokens} tokens and wrote ${outputTokens}`);
      }
      return ms;
    },
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

const isPart = values.compare || values.starts || values.soak;
if (!isPart || values.compare || values.starts) await compare();
if (!isPart || values.soak) {
  await soak({
    ...{ started, shapeName: name, folder, documents, body: own.body },
    seconds: values.quick ? 20 : 60 * Number(values.minutes),
    workers: Number(values.workers),
    home: path.join(cacheFolder, "home"),
    binary: path.join(root, "dist", "cli", "main.js"),
    freePort,
  });
}

async function compare() {
  const python = makePython([
    ...transformersPackages,
    ...["ctranslate2==4.8.5", "fastapi==0.139.0", "uvicorn==0.48.0"],
  ]);
  const versions = packageVersions(python, [
    ...["torch", "transformers", "ctranslate2", "fastapi", "uvicorn"],
  ]);
  const quietly = { OMP_WAIT_POLICY: "PASSIVE" };
  const sides = threads > 1 ? [own, ownProcesses] : [own];
  const ownNames = sides.map((side) => side.name);
  if (!values.without.includes("ctranslate2")) {
    // Replicas of one thread each do more together than one with all, and answer each request later.
    const alone = [8, 32].map((batch) => ({ replicas: 1, batch }));
    const several = [4, 8].map((batch) => ({ replicas: threads, batch }));
    for (const { replicas, batch } of threads > 1 ? [...alone, ...several] : alone) {
      const file = "serving_ctranslate2.py";
      const settings = { batch, replicas, gatherMs: 5 };
      const label = `CTranslate2, ${replicas > 1 ? `${replicas} replicas, ` : ""}batches of ${batch}`;
      sides.push(peer(python, label, file, settings, quietly));
    }
  }
  if (!values.without.includes("transformers"))
    sides.push(peer(python, "transformers", "serving_transformers.py"));

  // The first start makes whole-number copies, which is not what is measured.
  for (const side of sides) await (await start(side)).stop();

  /** @typedef {{perS: number, p50: number, p95: number, p99: number, rss: number}} Figures */
  /** @type {Map<string, Map<number, Figures[]>>} */
  const found = new Map(sides.map((side) => [side.name, new Map()]));
  /** @type {Map<string, number[]>} */
  const starts = new Map(sides.map((side) => [side.name, []]));
  for (let round = 0; round < runs; round++) {
    for (const side of sides) {
      const service = await start(side);
      try {
        starts.get(side.name)?.push(service.firstAnswerS);
        if (values.starts) console.log(`${side.name}: ${service.firstAnswerS.toFixed(2)} s`);
        for (const clients of clientCounts) {
          let rss = 0;
          const watch = setInterval(() => {
            rss = Math.max(rss, residentBytes(service.pid));
          }, 200);
          const { perS, latencies } = await closedLoop({
            ...{ clients, seconds },
            ask: (index, agent) => service.askNext(index, agent),
          });
          clearInterval(watch);
          const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentile(latencies, share));
          const figures = /** @type {Figures} */ ({ perS, p50, p95, p99, rss });
          const byClients = found.get(side.name);
          byClients?.set(clients, [...(byClients.get(clients) ?? []), figures]);
          console.log(
            `${side.name}, ${clients} clients, ${round + 1} of ${runs}: ${perS.toFixed(2)}/s, p50 ${((p50 ?? 0) / 1000).toFixed(1)} s, p99 ${((p99 ?? 0) / 1000).toFixed(1)} s, ${Math.round(rss / 1e6)} MB`,
          );
        }
      } finally {
        await service.stop();
      }
    }
  }

  /** @param {string} side @param {number} clients @param {keyof Figures} figure */
  const of = (side, clients, figure) =>
    median((found.get(side)?.get(clients) ?? []).map((each) => each[figure]));
  const startOf = (/** @type {string} */ side) => median(starts.get(side) ?? [Number.NaN]);
  const names = sides.slice(ownNames.length).map((side) => side.name);
  /** The setting with the most throughput. @param {string[]} settings @param {number} clients */
  const bestOf = (settings, clients) =>
    settings.reduce((a, b) => (of(b, clients, "perS") > of(a, clients, "perS") ? b : a));
  /** @type {import("./frame/report.mjs").Row[]} */
  const rows = [];
  const throughputBars = [
    { peer: "transformers", least: 8, bar: "at least 8x the throughput of FastAPI + transformers" },
    { peer: "CTranslate2", least: 2, bar: "2x that of FastAPI + CTranslate2 int8" },
  ];
  for (const { peer: kind, least, bar } of throughputBars) {
    const settings = names.filter((each) => each.startsWith(kind));
    if (settings.length === 0) continue;
    for (const clients of clientCounts) {
      const [ownBest, best] = [bestOf(ownNames, clients), bestOf(settings, clients)];
      const label = `${name}, ${clients} ${clients === 1 ? "client" : "clients"}, ${ownBest}`;
      const peerName = `FastAPI + ${best}`;
      const [mine, theirs] = [of(ownBest, clients, "perS"), of(best, clients, "perS")];
      const ratio = mine / theirs;
      const isBarred = clients === 64;
      rows.push({
        ...{
          case: label,
          peer: peerName,
          metric: "requests/s",
          bridle: mine,
          other: theirs,
          ratio,
        },
        ...(isBarred ? { bar, held: ratio >= least } : { bar: null, held: null }),
      });
      for (const [metric, figure, unit] of /** @type {const} */ ([
        ["p50, s", "p50", 1000],
        ["p95, s", "p95", 1000],
        ["p99, s", "p99", 1000],
        ["peak RSS, MB", "rss", 1e6],
      ])) {
        rows.push(
          lessIsBetter({
            ...{ case: label, peer: peerName, metric },
            ...{
              bridle: of(ownBest, clients, figure) / unit,
              other: of(best, clients, figure) / unit,
            },
          }),
        );
      }
    }
    const quickest = settings.reduce((a, b) => (startOf(b) < startOf(a) ? b : a));
    const row = lessIsBetter({
      ...{ case: name, peer: `FastAPI + ${quickest}`, metric: "start to first answer, s" },
      ...{ bridle: startOf(own.name), other: startOf(quickest) },
    });
    rows.push(
      kind === "transformers"
        ? {
            ...row,
            bar: "start to first answer 10x faster than transformers",
            held: row.ratio >= 10,
          }
        : row,
    );
  }
  report("serving", rows, [
    `Machine: ${started}. Median of ${runs} alternating ${values.starts ? "starts" : `runs of ${seconds} s a case`}, ${threads} threads.`,
    `Documents of ${Math.min(...lengths)} to ${Math.max(...lengths)} tokens, ${beams} beams, ${newTokens} new tokens on every side; the first answer is of 256 tokens.`,
    `fastapi ${versions.fastapi}, uvicorn ${versions.uvicorn}; transformers ${versions.transformers}, torch ${versions.torch}: float32, one generation at a time; CTranslate2 ${versions.ctranslate2}: int8, OMP_WAIT_POLICY=PASSIVE, requests gathered for 5 ms into batches. Of each side's settings the one with the most requests/s in each case; memory of several processes is the sum of what each has resident, shared or not.`,
    "Clients ask again as soon as they are answered; what is under way at the end is not counted. Bridle without its result cache.",
  ]);
}
