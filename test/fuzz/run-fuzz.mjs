// Feeds a reader spoiled inputs and keeps count of its answers; what is neither an answer nor a fitting error is a finding.
// @ts-check
import { mkdirSync } from "node:fs";
import path from "node:path";
import { getHeapStatistics } from "node:v8";
import { createDraw } from "./mutations.mjs";
import { readers } from "./readers.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../src/text/seeded-random.js")} */
const { seededRandom } = await compiled("text/seeded-random.js");
/** @type {typeof import("../../src/errors/error.js")} */
const { BridleError } = await compiled("errors/error.js");

/** No spoiled input is larger than a few hundred kilobytes; reading it may not take more memory than this, in bytes. */
const mostMemory = 64 * 1024 * 1024;

const progressEveryMs = 200;

/**
 * @typedef {{index: number, what: string}} Finding
 * @typedef {{reader: string, count: number, read: number, refused: Record<string, number>, largestBytes: number,
 *   mostBytesTaken: number, findings: Finding[]}} Report
 *   read: inputs that were read without an error, because their spoiling did no harm
 */

/** Bytes of objects and of buffers; the latter count when they are made, whether or not they are ever touched. */
function memoryHeld() {
  const { used_heap_size: objects, external_memory: buffers } = getHeapStatistics();
  return objects + buffers;
}

/** @param {unknown} thrown @param {readonly string[]} codes @returns {string | undefined} what is wrong with the error */
function objection(thrown, codes) {
  if (!(thrown instanceof BridleError))
    return `threw ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`;
  if (!codes.includes(thrown.code)) return `answered with ${thrown.code}: ${thrown.message}`;
  if (thrown.message.length > 3000) return `says ${thrown.message.length} characters`;
  return undefined;
}

/**
 * Reads inputs `from` … `from + count − 1` of a seed; each is spoiled by its own number alone, so that one can be repeated.
 * @param {string} name of a reader
 * @param {{count: number, seed: number, from?: number, folder: string, onProgress?: (index: number) => void}} options
 * @returns {Promise<Report>}
 */
export async function runFuzz(name, { count, seed, from = 0, folder, onProgress }) {
  const reader = readers.find((each) => each.name === name);
  if (reader === undefined) throw new Error(`There is no reader ${name}.`);
  const own = path.join(folder, name);
  mkdirSync(own, { recursive: true });
  await reader.prepare?.(own);
  /** @type {Report} */
  const report = {
    reader: name,
    count,
    read: 0,
    refused: {},
    largestBytes: 0,
    mostBytesTaken: 0,
    findings: [],
  };
  let told = performance.now();
  for (let index = from; index < from + count; index++) {
    const random = seededRandom(
      (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0,
    );
    const files = reader.spoil(createDraw(() => random.nextUint32()));
    let size = 0;
    for (const bytes of files.values()) size += bytes.length;
    report.largestBytes = Math.max(report.largestBytes, size);
    const before = memoryHeld();
    /** @type {string | undefined} */
    let found;
    try {
      await reader.read(files, own);
      report.read += 1;
    } catch (thrown) {
      found = objection(thrown, reader.codes);
      const code = thrown instanceof BridleError ? thrown.code : "none";
      report.refused[code] = (report.refused[code] ?? 0) + 1;
    }
    const taken = memoryHeld() - before;
    report.mostBytesTaken = Math.max(report.mostBytesTaken, taken);
    if (taken > mostMemory) found ??= `took ${taken} bytes of memory for ${size} bytes`;
    if (found !== undefined) report.findings.push({ index, what: found });
    if (performance.now() - told > progressEveryMs) {
      told = performance.now();
      onProgress?.(index);
    }
  }
  return report;
}

/** The files of one input, for a closer look. @param {string} name @param {number} seed @param {number} index */
export function spoiledFiles(name, seed, index) {
  const reader = readers.find((each) => each.name === name);
  if (reader === undefined) throw new Error(`There is no reader ${path.basename(name)}.`);
  const random = seededRandom(
    (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0,
  );
  return reader.spoil(createDraw(() => random.nextUint32()));
}
