// kill -9 fifty times, spread over add, push, pull and gc: what is there is whole, and what was acknowledged stays.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, watch } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseDirectory } from "../../src/data/dvc/object-hash.js";
import { DvcProject } from "../support/dvc-project.js";

const bridle = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const fileCount = 600;
let project: DvcProject;

beforeAll(async () => {
  project = await DvcProject.create({ withGit: false });
});
afterAll(() => project.remove());

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [bridle, "data", ...args], {
    cwd: project.root,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

async function finish(...args: string[]): Promise<void> {
  const child = start(...args);
  let told = "";
  child.stderr?.on("data", (chunk) => {
    told += String(chunk);
  });
  const [code] = await once(child, "exit");
  expect(code, `${args.join(" ")}: ${told}`).toBe(0);
}

/**
 * Kills a command at the n-th thing that appears or goes in some folders, or lets it end where there are fewer.
 * @returns whether it was killed
 */
async function killAt(
  folders: readonly string[],
  nth: number,
  ...args: string[]
): Promise<boolean> {
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const child = start(...args);
  let seen = 0;
  const watchers = folders.map((folder) =>
    watch(folder, () => {
      if (++seen >= nth) child.kill("SIGKILL");
    }),
  );
  await once(child, "exit");
  for (const watcher of watchers) watcher.close();
  return child.signalCode === "SIGKILL";
}

const remote = () => path.join(project.folder, "remote");
const cache = () => project.at(".dvc/cache");

/** Every object of a cache or remote holds what its name says. */
function expectWhole(folder: string): Set<string> {
  const ids = new Set<string>();
  const wrong: string[] = [];
  const base = path.join(folder, "files", "md5");
  for (const prefix of existsSync(base) ? readdirSync(base) : []) {
    for (const rest of readdirSync(path.join(base, prefix))) {
      const id = prefix + rest;
      const bytes = readFileSync(path.join(base, prefix, rest));
      const hash = createHash("md5").update(bytes).digest("hex");
      if (hash !== id.replace(/\.dir$/, "")) wrong.push(id);
      ids.add(id);
    }
  }
  expect(wrong).toEqual([]);
  return ids;
}

/** Ids that a .dvc file stands for; undefined where it is not there. */
function needed(file: string, objects: ReadonlySet<string>): string[] | undefined {
  if (!project.has(file)) return undefined;
  const id = /^- md5: ([0-9a-f]{32}\.dir)$/m.exec(project.read(file))?.[1];
  expect(id, `${file} is whole`).toBeDefined();
  expect(objects.has(id ?? ""), `${file} names a list that is there`).toBe(true);
  const list = readFileSync(
    path.join(cache(), "files/md5", id?.slice(0, 2) ?? "", id?.slice(2) ?? ""),
    "utf8",
  );
  return [id ?? "", ...(parseDirectory(list) ?? []).map(({ md5 }) => md5)];
}

/** What an acknowledged .dvc file stands for is all in the cache. */
function expectKept(): void {
  const objects = expectWhole(cache());
  expectAll(needed("data.dvc", objects) ?? [], objects);
}

function expectAll(ids: readonly string[], there: ReadonlySet<string>): void {
  expect(ids.filter((id) => !there.has(id))).toEqual([]);
}

/** Files that do not hold what they should, absent ones among them. */
function otherThan(wanted: ReadonlyMap<string, string>): string[] {
  return [...wanted].flatMap(([file, text]) =>
    existsSync(file) && readFileSync(file, "utf8") === text ? [] : [file],
  );
}

async function writeVersion(version: number): Promise<void> {
  const jobs = Array.from({ length: fileCount }, (_, i) =>
    project.write(
      `data/${i % 10}/${i}.txt`,
      `${i % 7 === 0 ? version : 0} ${i} ${"x".repeat(i % 3000)}`,
    ),
  );
  await Promise.all(jobs);
}

/** Where in the work a command is killed: after so many changes in the folders it works in. */
const moments = [1, 3, 10, 40, 80, 150, 250, 350, 450, 550, 575, 595, 600];

it("leaves everything whole, and loses nothing, over fifty kills", async () => {
  const kills = { add: 0, push: 0, pull: 0, gc: 0 };
  const scratch = path.join(cache(), "bridle-tmp");
  await writeVersion(0);
  await finish("remote", "add", "--default", "store", "../remote");
  // add: killed on its way, until it gets through; then a new version, and again.
  for (const nth of [1, 3, 10, 40, 80, 250, 450, 575]) {
    await rm(cache(), { recursive: true, force: true });
    kills.add += Number(await killAt([scratch, project.root], nth, "add", "data"));
    expectKept();
  }
  await finish("add", "data");
  await writeVersion(1);
  // Of the second version a file in seven is new.
  for (const nth of [1, 2, 5, 10, 20, 40, 50]) {
    kills.add += Number(await killAt([scratch, project.root], nth, "add", "data"));
    expectKept();
  }
  await finish("add", "data");
  expectKept();
  const all = needed("data.dvc", expectWhole(cache())) ?? [];
  // push: a list at the remote means that all of its files are there.
  for (const nth of moments) {
    await rm(remote(), { recursive: true, force: true });
    kills.push += Number(await killAt([path.join(remote(), "bridle-tmp")], nth, "push"));
    const there = expectWhole(remote());
    if (there.has(all[0] ?? "")) expectAll(all, there);
  }
  await finish("push");
  expectAll(all, expectWhole(remote()));
  // gc: whatever it was doing, what the working folder needs stays.
  const prefixes = () =>
    readdirSync(path.join(cache(), "files/md5")).map((each) =>
      path.join(cache(), "files/md5", each),
    );
  for (const nth of [1, 2, 3, 5, 8, 12, 20, 30, 40, 50, 60, 70]) {
    await rm(project.at("data.dvc.kept"), { force: true });
    kills.gc += Number(await killAt(prefixes(), nth, "gc", "--workspace"));
    expectKept();
    // Something to collect again: objects of a version that nothing names.
    await writeVersion(nth + 2);
    const before = project.read("data.dvc");
    await finish("add", "data");
    await project.write("data.dvc", before);
  }
  await finish("checkout", "--force");
  await finish("gc", "--workspace");
  expect([...expectWhole(cache())].toSorted()).toEqual([...new Set(all)].toSorted());
  // pull: no file in the working folder is half there, and a run that is left alone brings all.
  const wanted = new Map(
    readdirSync(project.at("data"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = path.join(entry.parentPath, entry.name);
        return [file, readFileSync(file, "utf8")] as const;
      }),
  );
  for (const nth of [...moments, 750, 1000, 1150]) {
    await rm(cache(), { recursive: true, force: true });
    await rm(project.at("data"), { recursive: true, force: true });
    const folders = [scratch, project.at(".dvc/tmp/bridle/part")];
    kills.pull += Number(await killAt(folders, nth, "pull"));
    expectWhole(cache());
    expect(otherThan(wanted).filter((file) => existsSync(file))).toEqual([]);
  }
  await finish("pull");
  expect(otherThan(wanted)).toEqual([]);
  await finish("status");
  expect(readdirSync(scratch)).toEqual([]);
  const count = Object.values(kills).reduce((sum, each) => sum + each, 0);
  expect(count, JSON.stringify(kills)).toBeGreaterThanOrEqual(50);
  for (const each of Object.values(kills))
    expect(each, JSON.stringify(kills)).toBeGreaterThanOrEqual(8);
}, 900_000);
