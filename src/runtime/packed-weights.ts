// Weights as products want them laid out, in files that processes map together: made once for a graph, its weights and a processor.
import { createHash, randomUUID } from "node:crypto";
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  utimes,
  writeFile,
} from "node:fs/promises";
import { arch, cpus } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { InferenceSession } from "onnxruntime-node";
import type { Graph } from "../graph/index.js";
import { draftOf, dropLeftDrafts } from "./drafts.js";

/** Raised when what is written changes, so that files made before are not taken for their like. */
const formatVersion = "1";
const graphFile = "graph.onnx";
/** What the file of weights ends in; no two have the same name, so that a graph never finds those of another. */
const weightsSuffix = ".bin";
/** Written last: what the others are like when they are whole. */
const noteFile = "whole.json";
/** Smaller ones stay in the graph. */
const leastBytes = 1024;
/** Bytes of a file of weights that tell what it is: what it begins with, as a checkpoint's header, and samples of the rest. */
const told = { first: 1 << 20, sample: 1 << 14, samples: 64 };
/** Twice the weights are written; so many times as much must be free, as others write too. */
const roomNeeded = 4;
/** How long others that write the same are waited for; they take seconds. */
const waitMs = 30_000;
const pauseMs = 100;
/** A draft that nothing was added to for so long was left: threads that are ended leave theirs to a process that lives on. */
const staleMs = 300_000;
/** What nobody has opened for so long is dropped when something is written. */
const unusedMs = 30 * 24 * 3600 * 1000;
/** So many are kept, those that were opened last: two a model, of eight models. */
const mostKept = 16;

/** Ops whose layout onnxruntime 1.30 does not write whole: what is opened from it computes something else. */
const notWritten = new Set(["blockLinear"]);

/** Whether a graph's weights can be laid out in files. */
export const canBePacked = ({ nodes }: Graph): boolean =>
  !nodes.some(({ op }) => notWritten.has(op));

/** A graph as a session opens it. */
export interface ToOpen {
  /** The encoded graph. */
  readonly bytes: Uint8Array;
  readonly settings: InferenceSession.SessionOptions;
}

/** A graph whose weights are to be laid out in files, and what decides how. */
export interface ToPack extends ToOpen {
  /** Where its weights lie. */
  readonly files: readonly string[];
  /** Version of onnxruntime. */
  readonly version: string;
}

/** What opens a session, and closes it. */
export interface Opener<Session> {
  create(one: ToOpen): Promise<Session>;
  close(session: Session): Promise<void>;
}

/** Settings with more for onnxruntime's session. */
function withSession(
  settings: InferenceSession.SessionOptions,
  more: Readonly<Record<string, string>>,
): InferenceSession.SessionOptions {
  const extra = settings.extra as { readonly session?: object } | undefined;
  return { ...settings, extra: { ...extra, session: { ...extra?.session, ...more } } };
}

/** What decides how onnxruntime lays weights out on this machine. Source: MlasPlatform, which asks for the processor's features. */
async function processor(): Promise<string> {
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const features = /^(?:flags|Features)\s*:.*$/m.exec(text)?.[0];
  return [process.platform, arch(), cpus()[0]?.model, features].join("\n");
}

/**
 * Tells apart whatever another layout, or another graph, would come of. Where a file lies does not count: containers have the same
 * one at other places, and of another device.
 */
async function keyOf({ bytes, settings, files, version }: ToPack): Promise<string> {
  const hash = createHash("sha256");
  const { executionProviders, graphOptimizationLevel, extra } = settings;
  const { optimization } = (extra ?? {}) as { readonly optimization?: object };
  const asked = {
    formatVersion,
    version,
    executionProviders,
    graphOptimizationLevel,
    optimization,
  };
  hash.update(JSON.stringify(asked)).update(await processor());
  for (const file of [...files].sort()) {
    const handle = await open(file, "r");
    try {
      const { size, mtimeNs } = await handle.stat({ bigint: true });
      hash.update(`\0${size}\0${mtimeNs}\0`);
      const bytes = new Uint8Array(told.first);
      for (let i = 0; i <= told.samples; i++) {
        const length = i === 0 ? told.first : told.sample;
        const at = Math.floor((Number(size) * i) / (told.samples + 1));
        const { bytesRead } = await handle.read(bytes, 0, length, at);
        hash.update(bytes.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }
  return hash.update(bytes).digest("hex").slice(0, 32);
}

/** Makes a file last. Windows flushes what is open for writing alone. */
async function flush(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder's entries last, where the system opens folders. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** What tells that a graph and its weights are as they were written. */
async function noteOf(folder: string): Promise<{ bytes: Uint8Array; note: string }> {
  const bytes = await readFile(join(folder, graphFile));
  const graph = createHash("sha256").update(bytes).digest("hex");
  const weights = (await readdir(folder)).filter((name) => name.endsWith(weightsSuffix));
  const sizes = weights.map(async (name) => [name, (await stat(join(folder, name))).size] as const);
  return { bytes, note: JSON.stringify({ graph, weights: await Promise.all(sizes) }) };
}

/** Bytes that the widest of onnxruntime's kernels read at once, from a place that is a multiple of them. */
const alignment = 64;

/**
 * Whether all that is laid out for products of floats lies where their kernels may read it. onnxruntime 1.30 writes it right behind the weight it was
 * made of, wherever that ends, and these end the process where that is no multiple of 64: behind a small weight of another length. Those of whole
 * numbers read from anywhere.
 * Source: what it writes as external data, "prepacked_0": "operator+hash|offset;length;flag".
 */
function isAligned(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  for (const [, operator = "", places = ""] of text.matchAll(/(\w+)\+\d+((?:\|\d+;\d+;[01])+)/g)) {
    if (/Integer|Quantize/.test(operator)) continue;
    for (const [, offset] of places.matchAll(/\|(\d+);/g))
      if (Number(offset) % alignment !== 0) return false;
  }
  return true;
}

/**
 * The graph in a folder that is whole, to be opened with the weights beside it; undefined where there is none, and "unusable" where
 * there is one that must not be run.
 */
async function read(
  folder: string,
  settings: ToOpen["settings"],
): Promise<ToOpen | "unusable" | undefined> {
  try {
    const { bytes, note } = await noteOf(folder);
    if (note !== (await readFile(join(folder, noteFile), "utf8"))) return undefined;
    if (!isAligned(bytes)) return "unusable";
    const found = withSession(settings, { model_external_initializers_file_folder_path: folder });
    // It has been optimized.
    return { bytes, settings: { ...found, graphOptimizationLevel: "disabled" } };
  } catch {
    return undefined;
  }
}

/** Takes a folder away at once, so that nobody finds half of it, and then what is in it. */
async function takeAway(folder: string): Promise<void> {
  const gone = draftOf(folder);
  await rename(folder, gone);
  await rm(gone, { recursive: true, force: true });
}

/** Writes a graph and its weights, laid out, into a draft. */
async function write<Session>(
  draft: string,
  { bytes, settings }: ToPack,
  { create, close }: Opener<Session>,
): Promise<void> {
  const writing = withSession(settings, {
    save_external_prepacked_constant_initializers: "1",
    optimized_model_external_initializers_file_name: `${randomUUID()}${weightsSuffix}`,
    optimized_model_external_initializers_min_size_in_bytes: String(leastBytes),
  });
  const optimizedModelFilePath = join(draft, graphFile);
  await close(await create({ bytes, settings: { ...writing, optimizedModelFilePath } }));
  await writeFile(join(draft, noteFile), (await noteOf(draft)).note);
  for (const name of await readdir(draft)) await flush(join(draft, name));
  await flushFolder(draft);
}

/** Gives a draft its name, unless somebody else's whole one has it by now. */
async function place(draft: string, folder: string, settings: ToOpen["settings"]): Promise<void> {
  try {
    await rename(draft, folder);
  } catch (thrown) {
    if ((await read(folder, settings)) !== undefined) return;
    // What lies there is not whole.
    await takeAway(folder).catch(() => {
      throw thrown;
    });
    await rename(draft, folder);
  }
  await flushFolder(dirname(folder));
}

/** The next to write has a name behind those of all that began before. */
const draftFor = (folder: string) => draftOf(`${folder}.${Date.now()}`);

/** Drafts of a folder, by when they were begun; those that were left are dropped. */
async function draftsOf(folder: string): Promise<string[]> {
  const cache = dirname(folder);
  await dropLeft(cache);
  const isDraft = (name: string) =>
    name.startsWith(`${basename(folder)}.`) && name.endsWith(".draft");
  return (await readdir(cache))
    .filter(isDraft)
    .sort()
    .map((name) => join(cache, name));
}

/** Drops the drafts of processes that have ended, and those that nothing was added to for long. */
async function dropLeft(cache: string): Promise<void> {
  // What another user has left stays; it is of no harm.
  await dropLeftDrafts(cache).catch(() => {});
  for (const name of await readdir(cache)) {
    if (!name.endsWith(".draft")) continue;
    const draft = join(cache, name);
    const all = [draft, ...(await readdir(draft).catch(() => [])).map((file) => join(draft, file))];
    const times = all.map((each) =>
      stat(each).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    );
    if (Math.max(...(await Promise.all(times))) < Date.now() - staleMs)
      await rm(draft, { recursive: true, force: true }).catch(() => {});
  }
}

/** Makes way for another: drops what nobody has opened for a month, and what is too many; who has it open keeps what is mapped. */
async function dropUnused(cache: string): Promise<void> {
  const folders = (await readdir(cache)).filter((name) => /^[0-9a-f]{32}$/.test(name));
  const opened = folders.map(async (name) => {
    const folder = join(cache, name);
    const found = await stat(folder).catch(() => undefined);
    return found === undefined ? [] : [{ folder, at: found.mtimeMs }];
  });
  const latestFirst = (await Promise.all(opened)).flat().sort((a, b) => b.at - a.at);
  for (const [i, { folder, at }] of latestFirst.entries()) {
    if (i >= mostKept - 1 || at < Date.now() - unusedMs) await takeAway(folder).catch(() => {});
  }
}

/** Whether a disk has room for what is written. */
async function hasRoom(cache: string, files: readonly string[]): Promise<boolean> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const { bavail, bsize } = await statfs(cache);
  return bavail * bsize >= roomNeeded * sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * What lies in the cache; made where nothing whole does, and undefined where that is not possible now. Who finds that others write the same waits for them a while, and then does
 * without: no lock is held, since one that a thread took stays with its process when the thread is ended.
 * @throws what the file system and onnxruntime throw
 */
async function find<Session>(
  cache: string,
  graph: ToPack,
  opener: Opener<Session>,
): Promise<ToOpen | undefined> {
  const key = await keyOf(graph);
  const folder = join(cache, key);
  const whole = () => read(folder, graph.settings);
  const found = await whole();
  if (found !== undefined) {
    const now = new Date();
    // Where only others may write, they see to what is not used.
    await utimes(folder, now, now).catch(() => {});
    return usable(found);
  }
  await mkdir(cache, { recursive: true });
  const until = performance.now() + waitMs;
  /** Waits for others' drafts. @returns whether none is in the way any more */
  const isFree = async (isInTheWay: (drafts: readonly string[]) => boolean) => {
    while (isInTheWay(await draftsOf(folder))) {
      if (performance.now() >= until) return false;
      await sleep(pauseMs);
    }
    return true;
  };
  if (!(await isFree((drafts) => drafts.length > 0))) return undefined;
  const written = await whole();
  if (written !== undefined) return usable(written);
  const draft = draftFor(folder);
  try {
    await mkdir(draft);
    // Others may have begun at the same time.
    if (!(await isFree(([first]) => first !== draft))) return undefined;
    const other = await whole();
    if (other !== undefined) return usable(other);
    await dropUnused(cache);
    if (!(await hasRoom(cache, graph.files))) return undefined;
    await write(draft, graph, opener);
    // Somebody may have replaced what has been read.
    if ((await keyOf(graph)) !== key) return undefined;
    await place(draft, folder, graph.settings);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return usable(await whole());
}

const usable = (found: ToOpen | "unusable" | undefined): ToOpen | undefined =>
  found === "unusable" ? undefined : found;

/**
 * Opens a graph whose weights are files, with these laid out in a folder of the cache: found there, or made now, by one process of
 * all that want them. Where that is not possible, since the disk is full or nobody may write there, the graph is opened as it is,
 * with a layout of the process's own.
 * @throws what `create` throws for the graph as it is
 */
export async function openPacked<Session>(
  cache: string,
  graph: ToPack,
  opener: Opener<Session>,
): Promise<Session> {
  try {
    const found = await find(cache, graph, opener);
    if (found !== undefined) return await opener.create(found);
  } catch {
    // What is wrong with the graph itself is told below.
  }
  return await opener.create(graph);
}
