// Names for what is being made in a cache and is not whole yet: they tell whose it is, so that what killed processes left can be dropped.
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { isRunning, pidNamespace, processMark } from "./living-process.js";

/** A cache may lie on a disk that several machines share, where a process id says nothing without the machine. */
const host = createHash("md5").update(hostname()).digest("hex").slice(0, 8);
/** Which process ids are meant: containers that have one name count theirs each for itself. */
const namespace = /\d+/.exec(pidNamespace() ?? "")?.[0] ?? "";
/** Making and measuring something takes minutes: another machine's draft that is older was left. */
const staleMs = 24 * 3600 * 1000;
/** The same of a container of this name, which is mostly this one before it was started anew. */
const containerStaleMs = 30 * 60 * 1000;

/** What is in the names of a thread's drafts, and of nobody else's. */
const markOf = (thread: number) =>
  `.${host}-${process.pid}-${processMark()}-t${thread}n${namespace}-`;

/** A name beside the one that a file or folder is to have, which no thread, process or machine gives again. */
export function draftOf(target: string): string {
  return `${target}${markOf(threadId)}${randomUUID()}.draft`;
}

/** Drops the drafts of a thread of this process that was ended: its process lives on, by which others would wait for it. */
export async function dropDraftsOfThread(folder: string, thread: number): Promise<void> {
  const mark = markOf(thread);
  const names = await readdir(folder).catch(() => []);
  const left = names.filter((name) => name.includes(mark));
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** Drops drafts, whole or half written, of processes that are gone, from a cache; makes it where there is none. */
export async function dropLeftDrafts(cache: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  for (const name of await readdir(cache)) {
    // Drafts of earlier versions did not tell whose they were, and the next to come wrote over them.
    const isOld = name.endsWith(".draft") && !marked.test(name);
    if (isOld || (await isLeft(cache, name)))
      await rm(join(cache, name), { recursive: true, force: true });
  }
}

/** Drops what processes that are gone were making of one thing in a folder that may be anybody's: nothing else in it is looked at. */
export async function dropLeftDraftsOf(target: string): Promise<void> {
  const folder = dirname(target);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(target)}.`) || !(await isLeft(folder, name))) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

const marked = /\.([0-9a-f]{8})-(\d+)-(\w*)-(?:t\d+n(\d*)-)?[-\w]+\.draft/;

async function isLeft(folder: string, name: string): Promise<boolean> {
  const [, machine, pid, mark, counted = namespace] = marked.exec(name) ?? [];
  if (machine === undefined) return false;
  if (machine === host && counted === namespace) return !isRunning(Number(pid), mark);
  const found = await stat(join(folder, name)).catch(() => undefined);
  const mostMs = machine === host ? containerStaleMs : staleMs;
  return found !== undefined && found.mtimeMs < Date.now() - mostMs;
}
