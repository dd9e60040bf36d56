// Weights as products want them laid out, in files that processes map together: made once for a graph, its weights and a processor.
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { arch, cpus } from "node:os";
import { dirname, join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { BridleError } from "../errors/error.js";
import type { Graph } from "../graph/index.js";
import { draftOf, dropLeftDrafts } from "./drafts.js";
import type { OnnxRuntime } from "./onnxruntime.js";
import { withProcessLock } from "./process-lock.js";

/** Raised when what is written changes, so that files made before are not taken for their like. */
const formatVersion = "1";
const graphFile = "graph.onnx";
const weightsFile = "weights.bin";
/** Smaller ones stay in the graph. */
const leastBytes = 1024;
/** A writer on another machine that gives no sign for so long has ended. */
const silentMs = 60_000;
/** Whoever finds nothing after so long does without. */
const waitMs = 600_000;
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

/** Tells apart whatever another layout, or another graph, would come of. */
async function keyOf(
  { bytes, settings }: ToOpen,
  files: readonly string[],
  version: string,
): Promise<string> {
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
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    hash.update(`${file}\0${dev}\0${ino}\0${size}\0${mtimeNs}\0${ctimeNs}\0`);
  }
  return hash.update(bytes).digest("hex").slice(0, 32);
}

/** Writes what has been written down to the disk. */
async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The graph in a folder that is whole, to be opened with the weights beside it; undefined where there is none. */
async function read(folder: string, { settings }: ToOpen): Promise<ToOpen | undefined> {
  const bytes = await readFile(join(folder, graphFile)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  return {
    bytes,
    settings: {
      // It has been optimized.
      ...withSession(settings, { model_external_initializers_file_folder_path: folder }),
      graphOptimizationLevel: "disabled",
    },
  };
}

/** Writes a graph and its weights, laid out, into a folder that appears when it is whole. */
async function write(
  folder: string,
  { bytes, settings }: ToOpen,
  create: (one: ToOpen) => Promise<{ release(): Promise<void> }>,
): Promise<void> {
  const draft = draftOf(folder);
  try {
    await mkdir(draft);
    const writing = withSession(settings, {
      save_external_prepacked_constant_initializers: "1",
      optimized_model_external_initializers_file_name: weightsFile,
      optimized_model_external_initializers_min_size_in_bytes: String(leastBytes),
    });
    const session = await create({
      bytes,
      settings: { ...writing, optimizedModelFilePath: join(draft, graphFile) },
    });
    await session.release();
    for (const name of await readdir(draft)) await flush(join(draft, name));
    await flush(draft);
    await rename(draft, folder);
    await flush(dirname(folder));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Opens a graph whose weights are files, with these laid out in a folder of the cache: found there, or made now, by one process of
 * all that want them. Where that is not possible, since the disk is full or nobody may write there, the graph is opened as it is,
 * with a layout of the process's own.
 * @param files where its weights lie
 * @param create opens a session; what it throws for the graph as it is, is thrown
 */
export async function openPacked<Session extends { release(): Promise<void> }>(
  cache: string,
  graph: ToOpen,
  files: readonly string[],
  ort: OnnxRuntime,
  create: (one: ToOpen) => Promise<Session>,
): Promise<Session> {
  return (await tryPacked(cache, graph, files, ort, create)) ?? (await create(graph));
}

async function tryPacked<Session extends { release(): Promise<void> }>(
  cache: string,
  graph: ToOpen,
  files: readonly string[],
  { env }: OnnxRuntime,
  create: (one: ToOpen) => Promise<Session>,
): Promise<Session | undefined> {
  let folder: string;
  let found: ToOpen | undefined;
  try {
    folder = join(cache, await keyOf(graph, files, env.versions.node ?? ""));
    found = await find(folder, graph, create);
    if (found === undefined) return undefined;
  } catch {
    return undefined;
  }
  try {
    return await create(found);
  } catch {
    // What cannot be opened is of no use to anybody: the next to come makes it anew.
    await rm(folder, { recursive: true, force: true }).catch(() => {});
    return undefined;
  }
}

/** Drops what nobody has opened for a month; who has it open keeps what is mapped. */
async function dropUnused(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!/^[0-9a-f]{32}$/.test(name)) continue;
    const folder = join(cache, name);
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < Date.now() - unusedMs)
      await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** What lies in a folder; made where nothing does. @throws what the file system and onnxruntime throw */
async function find(
  folder: string,
  graph: ToOpen,
  create: (one: ToOpen) => Promise<{ release(): Promise<void> }>,
): Promise<ToOpen | undefined> {
  const found = await read(folder, graph);
  if (found !== undefined) {
    const now = new Date();
    // Where only others may write, they see to what is not used.
    await utimes(folder, now, now).catch(() => {});
    return found;
  }
  await dropLeftDrafts(dirname(folder));
  await dropUnused(dirname(folder));
  const reason = "another process has been writing it for minutes";
  await withProcessLock(
    `${folder}.lock`,
    { silentMs, waitMs },
    async () => {
      if ((await read(folder, graph)) === undefined) await write(folder, graph, create);
    },
    () => new BridleError("WRITE_FAILED", { file: folder, reason }),
  );
  return await read(folder, graph);
}
