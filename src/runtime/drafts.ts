// Names for what is being made in a cache and is not whole yet: they tell whose it is, so that what killed processes left can be dropped.
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { isRunning, pidNamespace, processMark } from "./living-process.js";

/** A cache may be shared by machines, and by containers that have one name: a process id says nothing without whose it is. */
const host = createHash("md5")
  .update(`${hostname()} ${pidNamespace() ?? ""}`)
  .digest("hex")
  .slice(0, 8);
/** Making and measuring something takes minutes: another machine's draft that is older was left. */
const staleMs = 24 * 3600 * 1000;

/** What is in the names of a thread's drafts, and of nobody else's. */
const markOf = (thread: number) => `.${host}-${process.pid}-${processMark()}-t${thread}-`;

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

/** Drops drafts, whole or half written, of processes that are gone; makes the folder where there is none. */
export async function dropLeftDrafts(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (await isLeft(folder, name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function isLeft(folder: string, name: string): Promise<boolean> {
  const [, machine, pid, mark] = /\.([0-9a-f]{8})-(\d+)-(\w*)-[-\w]+\.draft/.exec(name) ?? [];
  // Drafts of earlier versions did not tell whose they were, and the next to come wrote over them.
  if (machine === undefined) return name.endsWith(".draft");
  if (machine === host) return !isRunning(Number(pid), mark);
  const found = await stat(join(folder, name)).catch(() => undefined);
  return found !== undefined && found.mtimeMs < Date.now() - staleMs;
}
