// Clients of a summarizing service: many that ask again and again, and what became of each request.
// @ts-check
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";

/** @typedef {{status: number, ms: number, body: string, retryAfter: string | undefined}} Answered */

/**
 * Sends one JSON request and reads its answer.
 * @param {string} url @param {object} body @param {{agent?: Agent, headers?: Record<string, string>}} [options]
 * @returns {Promise<Answered>}
 */
export function post(url, body, { agent, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(JSON.stringify(body));
    const began = performance.now();
    const sent = request(
      url,
      {
        method: "POST",
        ...(agent && { agent }),
        headers: {
          "content-type": "application/json",
          "content-length": String(bytes.length),
          ...headers,
        },
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        answer.once("error", reject);
        answer.once("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            ms: performance.now() - began,
            body: text,
            retryAfter: answer.headers["retry-after"],
          }),
        );
      },
    );
    sent.once("error", reject);
    sent.end(bytes);
  });
}

/** @param {readonly number[]} values @param {number} share from 0 to 1 */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * So many clients, each asking again as soon as it is answered, for a time; longer, up to five times as long, until as many
 * answers have come as there are clients, so that there is a figure for whoever is slow. What is under way at its end is
 * waited for and not counted.
 * @param {object} load
 * @param {number} load.clients @param {number} load.seconds
 * @param {(index: number, agent: Agent) => Promise<number>} load.ask answers the ms that it took
 * @returns {Promise<{perS: number, latencies: number[]}>}
 */
export async function closedLoop({ clients, seconds, ask }) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const latencies = /** @type {number[]} */ ([]);
  const began = performance.now();
  let next = 0;
  let ended = 0;
  const isOver = () => {
    const passed = (performance.now() - began) / 1000;
    const isEnough = passed >= seconds && latencies.length >= clients;
    if (ended === 0 && (isEnough || passed >= 5 * seconds)) ended = performance.now();
    return ended > 0;
  };
  const client = async () => {
    while (!isOver()) {
      const ms = await ask(next++, agent);
      if (ended === 0) latencies.push(ms);
    }
  };
  const timer = setInterval(isOver, 100);
  await Promise.all(Array.from({ length: clients }, client));
  clearInterval(timer);
  agent.destroy();
  return { perS: (1000 * latencies.length) / (ended - began), latencies };
}

/**
 * Resident memory of a process and all it has started, in bytes.
 * @param {number} pid @returns {number}
 */
export function residentBytes(pid) {
  let sum = 0;
  const waiting = [pid];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    try {
      const status = readFileSync(`/proc/${one}/status`, "utf8");
      sum += 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      const children = readFileSync(`/proc/${one}/task/${one}/children`, "utf8");
      waiting.push(...children.split(" ").filter(Boolean).map(Number));
    } catch {
      // It has ended meanwhile, or there is no /proc here.
    }
  }
  return sum;
}
