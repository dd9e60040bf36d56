// Minutes of twice the requests that `bridle serve` can answer, among them clients that hang up, send garbage or read slowly.
// @ts-check
import { spawn } from "node:child_process";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "./checkpoint.mjs";
import { closedLoop, percentile, post, residentBytes } from "./load.mjs";

/** Longest time for one request; what was accepted is answered or told within it. */
const deadlineMs = 60_000;
/** What a loaded machine may add to it on the way. */
const slackMs = 5_000;
/** Whoever is refused later than this was let in first, and told at its turn that it would not be done. */
const atOnceMs = 2_000;
const inVain = "let in, and told at its turn that it would not be done in time";
/** Accepted, and not answered in time. */
const tooLate = "told that the deadline has passed";

/**
 * @param {object} settings
 * @param {string} settings.started the machine in words
 * @param {string} settings.shapeName @param {string} settings.folder
 * @param {readonly string[]} settings.documents
 * @param {(document: string) => object} settings.body
 * @param {number} settings.seconds @param {number} settings.workers processes that have models
 * @param {string} settings.home @param {string} settings.binary
 * @param {() => Promise<number>} settings.freePort
 */
export async function soak(settings) {
  const { started, shapeName, folder, documents, body, seconds, home, binary, freePort } = settings;
  const { workers } = settings;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/v1/summaries`;
  const child = spawn(
    process.execPath,
    [
      ...[binary, "serve", "--port", String(port), "--model", folder, "--dtype", "int8"],
      ...["--device", "cpu", "--log-level", "error", "--deadline-ms", String(deadlineMs)],
      ...["--slow-request-ms", "3600000", "--workers", String(workers)],
    ],
    { env: { ...process.env, BRIDLE_HOME: home }, stdio: ["ignore", "ignore", "pipe"] },
  );
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    complaints = (complaints + chunk).slice(-5000);
  });
  const pid = /** @type {number} */ (child.pid);
  const ready = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${port}/ready`)).ok;
    } catch {
      return false;
    }
  };
  /** Whether it still runs: one that crashed was ended by a signal, and has no exit code. */
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  while (!(await ready())) {
    if (!isRunning()) throw new Error(`bridle serve ended:\n${complaints}`);
    await sleep(50);
  }

  const random = createRandom(5);
  const pick = () => /** @type {string} */ (documents[Math.floor(random() * documents.length)]);
  const measured = await closedLoop({
    clients: 8,
    seconds: Math.min(30, Math.max(5, seconds / 10)),
    async ask(_, agent) {
      const { status, ms } = await post(url, body(pick()), { agent });
      if (status !== 200) throw new Error(`A client of eight was answered ${status}.`);
      return ms;
    },
  });
  const perS = 2 * measured.perS;
  console.log(
    `${measured.perS.toFixed(2)} requests/s can be answered; sending ${perS.toFixed(2)}/s for ${seconds} s.`,
  );

  /** @type {Map<string, number>} */
  const outcomes = new Map();
  /** @type {string[]} */
  const wrong = [];
  const latencies = /** @type {number[]} */ ([]);
  const tell = (/** @type {string} */ what) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  const fail = (/** @type {string} */ what) => {
    tell("WRONG");
    if (wrong.length < 20) wrong.push(what);
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 2000 });

  /** An answer to a whole request: a summary, or why not. @param {number} status @param {number} ms @param {string} text @param {string | undefined} retryAfter */
  function judge(status, ms, text, retryAfter) {
    if (ms > deadlineMs + slackMs) fail(`an answer took ${Math.round(ms)} ms`);
    if (status === 200) {
      latencies.push(ms);
      tell("answered");
      return;
    }
    const code = /"code":"(\w+)"/.exec(text)?.[1];
    const isBusy = code === "BUSY" || code === "DEADLINE_OUT_OF_REACH";
    if (status === 429 && Number(retryAfter) >= 1 && isBusy)
      tell(ms > atOnceMs ? inVain : `told to come later (${code})`);
    else if (status === 504 && code === "DEADLINE_EXCEEDED") tell(tooLate);
    else fail(`${status} ${text.slice(0, 200)}`);
  }

  async function whole() {
    const { status, ms, body: text, retryAfter } = await post(url, body(pick()), { agent });
    judge(status, ms, text, retryAfter);
  }

  /** Leaves before its answer comes. @returns {Promise<void>} */
  function hangUp() {
    return new Promise((resolve) => {
      const bytes = Buffer.from(JSON.stringify(body(pick())));
      const cut = random() < 0.3 ? Math.floor(bytes.length / 2) : bytes.length;
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(
          `POST /v1/summaries HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${bytes.length}\r\n\r\n`,
        );
        socket.write(bytes.subarray(0, cut));
        setTimeout(() => socket.destroy(), random() * 3000);
      });
      socket.on("error", () => {});
      socket.once("close", () => {
        tell("hung up");
        resolve();
      });
    });
  }

  const garbage = [
    { type: "application/json", text: '{"document": ' },
    { type: "application/json", text: '{"document": 7}' },
    { type: "application/json", text: '{"documnet": "One. Two."}' },
    { type: "application/json", text: '{"document": "One.", "parameters": {"numBeams": 1e9}}' },
    { type: "application/json", text: "[".repeat(5000) },
    { type: "text/plain", text: "One. Two." },
    { type: "application/json", text: "\u0000\ufffd".repeat(1000) },
  ];

  /** @returns {Promise<void>} */
  function sendGarbage() {
    if (random() < 0.3) {
      // No HTTP at all.
      return new Promise((resolve) => {
        let heard = "";
        const socket = connect(port, "127.0.0.1", () => {
          socket.write(Buffer.from(Array.from({ length: 200 }, () => Math.floor(random() * 256))));
          socket.write("\r\n\r\n");
        });
        socket.on("data", (chunk) => {
          heard += chunk;
        });
        socket.on("error", () => {});
        socket.setTimeout(20_000, () => socket.destroy());
        socket.once("close", () => {
          if (heard === "" || /^HTTP\/1\.1 4\d\d/.test(heard)) tell("refused garbage");
          else fail(`garbage was answered ${heard.slice(0, 100)}`);
          resolve();
        });
      });
    }
    const { type, text } = /** @type {{type: string, text: string}} */ (
      garbage[Math.floor(random() * garbage.length)]
    );
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        { method: "POST", agent, headers: { "content-type": type } },
        (answer) => {
          const status = answer.statusCode ?? 0;
          answer.resume();
          answer.once("end", () => {
            // A full server says so before it reads what it is sent.
            if (status >= 400 && status < 500) tell("refused garbage");
            else fail(`garbage was answered ${status}`);
            resolve();
          });
        },
      );
      sent.once("error", reject);
      sent.end(text);
    });
  }

  /**
   * Reads nothing of a stream for seconds, then one chunk at a time. What a summary tells fits into the system's own
   * buffers, so that the server need not wait for it: it must not forget the stream either.
   * @returns {Promise<void>}
   */
  function readSlowly() {
    return new Promise((resolve) => {
      const bytes = Buffer.from(JSON.stringify({ ...body(pick()), stream: true }));
      const began = performance.now();
      let heard = "";
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(
          `POST /v1/summaries HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${bytes.length}\r\n\r\n`,
        );
        socket.write(bytes);
        socket.pause();
        setTimeout(() => socket.resume(), 10_000 * random());
      });
      socket.on("data", (chunk) => {
        heard += chunk;
        socket.pause();
        setTimeout(() => socket.resume(), 500);
      });
      socket.on("error", () => {});
      socket.once("close", () => {
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(heard)?.[1] ?? 0);
        const event = /event: (summary|error)/.exec(heard)?.[1];
        if (status === 200 && event === "summary") tell("answered slowly");
        else if (status === 200 && event === "error") {
          if (heard.includes("DEADLINE_EXCEEDED")) tell(tooLate);
          else fail(`a stream ended with ${heard.slice(-300)}`);
        } else if (status === 0 || status === 200)
          fail(`a stream broke off after ${Math.round(performance.now() - began)} ms`);
        else judge(status, 0, heard, /retry-after: (\d+)/i.exec(heard)?.[1]);
        resolve();
      });
    });
  }

  /** @type {{at: number, bytes: number}[]} */
  const memory = [];
  const began = performance.now();
  const watch = setInterval(
    () => memory.push({ at: (performance.now() - began) / 1000, bytes: residentBytes(pid) }),
    1000,
  );
  /** @type {Set<Promise<void>>} */
  const underWay = new Set();
  let sent = 0;
  let next = began;
  while (performance.now() - began < 1000 * seconds && isRunning()) {
    const draw = random();
    const kind = draw < 0.1 ? hangUp : draw < 0.15 ? sendGarbage : draw < 0.2 ? readSlowly : whole;
    const one = kind()
      .catch((thrown) => fail(`${kind.name}: ${thrown}`))
      .finally(() => underWay.delete(one));
    underWay.add(one);
    sent += 1;
    // As people come: pauses without memory.
    next += (-1000 * Math.log(1 - random())) / perS;
    await sleep(Math.max(0, next - performance.now()));
  }
  await Promise.all(underWay);
  clearInterval(watch);
  agent.destroy();

  const info = /** @type {{process?: {active: number, waiting: number, bufferedBytes: number}}} */ (
    await fetch(`http://127.0.0.1:${port}/info`)
      .then((answer) => answer.json())
      .catch(() => ({}))
  );
  const left = info.process && {
    ...{ active: info.process.active, waiting: info.process.waiting },
    bufferedBytes: info.process.bufferedBytes,
  };
  const isAlive = isRunning();
  const ended = isAlive
    ? new Promise((resolve) =>
        child.once("exit", (exitCode, signal) => resolve(exitCode ?? signal)),
      )
    : (child.exitCode ?? child.signalCode);
  child.kill("SIGTERM");
  const code = await ended;

  const minute = Math.min(60, seconds / 2);
  const around = (/** @type {number} */ at) => {
    const near = memory.filter((one) => Math.abs(one.at - at) <= 5).map(({ bytes }) => bytes);
    return percentile(near, 0.5);
  };
  const [early, late] = [around(minute), around(seconds)];
  const growth = late / early - 1;
  const megabytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1e6)} MB`;
  const rows = [
    [
      "no crash",
      isAlive && code === 0,
      `it ended with ${code} ${isAlive ? "when it was told to" : "before it was told to"}`,
    ],
    [
      "RSS within 5 % of its value after the first minute",
      Math.abs(growth) <= 0.05,
      `${megabytes(early)} then ${megabytes(late)}, ${(100 * growth).toFixed(1)} %`,
    ],
    [
      "every accepted request answered or told why",
      wrong.length === 0 && left?.active === 0 && left.waiting === 0 && left.bufferedBytes === 0,
      `${wrong.length} wrong; left behind ${JSON.stringify(left)}`,
    ],
    [
      "latency of the accepted within its deadline",
      latencies.length > 0 && percentile(latencies, 1) <= deadlineMs && !outcomes.has(tooLate),
      `${outcomes.get(tooLate) ?? 0} too late, ${outcomes.get(inVain) ?? 0} told so before; p50 ${(percentile(latencies, 0.5) / 1000).toFixed(1)} s, p99 ${(percentile(latencies, 0.99) / 1000).toFixed(1)} s, the longest ${(percentile(latencies, 1) / 1000).toFixed(1)} s of ${deadlineMs / 1000} s`,
    ],
  ];
  console.log(
    `\nMachine: ${started}. ${shapeName}, int8, ${workers} ${workers === 1 ? "process" : "processes"}; ${sent} requests in ${seconds} s.`,
  );
  for (const [what, times] of outcomes) console.log(`${String(times).padStart(8)} ${what}`);
  for (const each of wrong) console.log(`WRONG ${each}`);
  if (complaints !== "") console.log(`It complained:\n${complaints}`);
  for (const [bar, held, why] of rows) console.log(`${held ? "held" : "MISSED"}: ${bar} (${why})`);
  const held = rows.every(([, holds]) => holds === true);
  const cases = rows.map(([bar, holds, metric]) => ({
    ...{ case: "soak at twice the sustainable rate", peer: "none", metric, bar, held: holds },
    ...{ bridle: null, other: null, ratio: null },
  }));
  console.log(
    JSON.stringify({
      ...{ name: "serving", cases, geomean: {}, held, soak: Object.fromEntries(outcomes) },
    }),
  );
  process.exitCode = held ? 0 : 1;
}
