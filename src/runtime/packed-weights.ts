// Weights as products want them laid out, in files that processes map together: made once for a graph, its weights and a processor.
import { createHash } from "node:crypto";
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
import { systemCode } from "../errors/file-errors.js";
import type { Graph } from "../graph/index.js";
import { draftOf, dropLeftDrafts } from "./drafts.js";

/** Raised when what is written changes, so that files made before are not taken for their like. */
const formatVersion = "1";
const graphFile = "graph.onnx";
const weightsFile = "weights.bin";
/** Written last: what the others are like when they are whole. */
const noteFile = "whole.json";
/** Smaller ones stay in the graph. */
const leastBytes = 1024;
/** Bytes of a file of weights that tell what it is: a checkpoint's header and more. */
const toldBytes = 1 << 20;
/** Twice the weights are written; so many times as much must be free, as others write too. */
const roomNeeded = 4;
/** How long others that write the same are waited for; they take seconds. */
const waitMs = 30_000;
const pauseMs = 100;
/** Nobody writes for so long: threads that were ended leave what they wrote to a process that lives on. */
const staleMs = 3600 * 1000;
/** What nobody has opened for so long is dropped when something is written. */
const unusedMs = 30 * 24 * 3600 * 1000;

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
  const told = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const features = /^(?:flags|Features)\s*:.*$/m.exec(told)?.[0];
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
      const { buffer, bytesRead } = await handle.read(new Uint8Array(toldBytes), 0, toldBytes, 0);
      hash.update(`\0${size}\0${mtimeNs}\0`).update(buffer.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
  }
  return hash.update(bytes).digest("hex").slice(0, 32);
}

/** Writes what has been written down to the disk, where the system can. */
async function flush(path: string): Promise<void> {
  const isFolder = (await stat(path)).isDirectory();
  const handle = await open(path, "r").catch((thrown: unknown) => {
    if (!isFolder) throw thrown;
  });
  try {
    await handle?.sync();
  } catch (thrown) {
    // Windows syncs nothing that is open for reading alone.
    if (!isFolder && systemCode(thrown) !== "EPERM") throw thrown;
  } finally {
    await handle?.close();
  }
}

/** What tells that a graph and its weights are as they were written. */
async function noteOf(folder: string): Promise<{ bytes: Uint8Array; note: string }> {
  const bytes = await readFile(join(folder, graphFile));
  const graph = createHash("sha256").update(bytes).digest("hex");
  const { size } = await stat(join(folder, weightsFile));
  return { bytes, note: JSON.stringify({ graph, weightsBytes: size }) };
}

/** The graph in a folder that is whole, to be opened with the weights beside it; undefined where there is none. */
async function read(folder: string, settings: ToOpen["settings"]): Promise<ToOpen | undefined> {
  try {
    const { bytes, note } = await noteOf(folder);
    if (note !== (await readFile(join(folder, noteFile), "utf8"))) return undefined;
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

/** Writes a graph and its weights, laid out, into a draft that gets the folder's name when it is whole. */
async function write<Session>(
  folder: string,
  draft: string,
  { bytes, settings }: ToPack,
  { create, close }: Opener<Session>,
): Promise<void> {
  const writing = withSession(settings, {
    save_external_prepacked_constant_initializers: "1",
    optimized_model_external_initializers_file_name: weightsFile,
    optimized_model_external_initializers_min_size_in_bytes: String(leastBytes),
  });
  const optimizedModelFilePath = join(draft, graphFile);
  await close(await create({ bytes, settings: { ...writing, optimizedModelFilePath } }));
  await writeFile(join(draft, noteFile), (await noteOf(draft)).note);
  for (const name of await readdir(draft)) await flush(join(draft, name));
  await flush(draft);
  // What lies there is not whole, or was written meanwhile.
  if ((await read(folder, settings)) === undefined) {
    await takeAway(folder).catch(() => {});
    await rename(draft, folder);
    await flush(dirname(folder));
  }
}

/** Drafts of a folder that others write, or have left. */
async function draftsOf(folder: string): Promise<string[]> {
  const names = await readdir(dirname(folder)).catch(() => []);
  const isDraft = (name: string) =>
    name.startsWith(`${basename(folder)}.`) && name.endsWith(".draft");
  return names.filter(isDraft).map((name) => join(dirname(folder), name));
}

/** Drops what nobody needs: what writers left, and what nobody has opened for a month. Who has it open keeps what is mapped. */
async function tidy(cache: string): Promise<void> {
  await dropLeftDrafts(cache);
  for (const name of await readdir(cache)) {
    const found = await stat(join(cache, name)).catch(() => undefined);
    const age = Date.now() - (found?.mtimeMs ?? Date.now());
    if (name.endsWith(".draft") && age > staleMs)
      await rm(join(cache, name), { recursive: true, force: true });
    else if (/^[0-9a-f]{32}$/.test(name) && age > unusedMs)
      await takeAway(join(cache, name)).catch(() => {});
  }
}

/** Whether a disk has room for what is written. */
async function hasRoom(cache: string, files: readonly string[]): Promise<boolean> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const { bavail, bsize } = await statfs(cache);
  return bavail * bsize >= roomNeeded * sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * What lies in a folder; made where nothing whole does. Who finds that others write the same waits for them a while: no lock is held,
 * since one that a thread took stays with its process when the thread is ended.
 * @throws what the file system and onnxruntime throw
 */
async function find<Session>(
  folder: string,
  graph: ToPack,
  opener: Opener<Session>,
): Promise<ToOpen | undefined> {
  const found = await read(folder, graph.settings);
  if (found !== undefined) {
    const now = new Date();
    // Where only others may write, they see to what is not used.
    await utimes(folder, now, now).catch(() => {});
    return found;
  }
  await tidy(dirname(folder));
  if (!(await hasRoom(dirname(folder), graph.files))) return undefined;
  const draft = draftOf(folder);
  const until = performance.now() + waitMs;
  /** Waits while others write. @returns what they have written */
  const waitWhile = async (isBusy: (drafts: readonly string[]) => boolean) => {
    while (performance.now() < until && isBusy(await draftsOf(folder))) {
      await sleep(pauseMs);
      const written = await read(folder, graph.settings);
      if (written !== undefined) return written;
    }
    return undefined;
  };
  const others = await waitWhile((drafts) => drafts.length > 0);
  if (others !== undefined) return others;
  try {
    await mkdir(draft);
    // Of those who began at the same time the first by name writes.
    const first = await waitWhile((drafts) => [...drafts].sort()[0] !== draft);
    if (first !== undefined) return first;
    await write(folder, draft, graph, opener);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return await read(folder, graph.settings);
}

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
    const found = await find(join(cache, await keyOf(graph)), graph, opener);
    if (found !== undefined) return await opener.create(found);
  } catch {
    // What is wrong with the graph itself is told below.
  }
  return await opener.create(graph);
}
