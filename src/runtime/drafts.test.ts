// Drafts of caches: whose they are, and who drops them.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { afterEach, beforeEach, expect, it } from "vitest";
import { draftOf, dropDraftsOfThread, dropLeftDrafts } from "./drafts.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-drafts-"));
});
afterEach(() => rm(folder, { recursive: true }));

const names = async () => (await readdir(folder)).sort();

it("of a thread that was ended are dropped, whole folders too, and nobody else's", async () => {
  const [file, whole] = [draftOf(join(folder, "a")), draftOf(join(folder, "b"))];
  await writeFile(file, "half");
  await mkdir(whole);
  await writeFile(join(whole, "weights"), "half");
  await writeFile(join(folder, "a"), "whole");
  // Another thread's, whose number begins with this one's.
  const other = file.replace(`-t${threadId}n`, `-t${threadId}1n`);
  await writeFile(other, "half");
  await dropDraftsOfThread(folder, threadId + 1000);
  expect(await names()).toHaveLength(4);
  await dropDraftsOfThread(folder, threadId);
  expect((await names()).map((name) => join(folder, name))).toEqual([join(folder, "a"), other]);
});

it("of a process that runs stay, those of one that has ended go", async () => {
  const own = draftOf(join(folder, "own"));
  const ended = own.replace(`-${process.pid}-`, "-999999999-");
  for (const each of [own, ended]) await writeFile(each, "half");
  await dropLeftDrafts(folder);
  expect((await names()).map((name) => join(folder, name))).toEqual([own]);
});

it("in a folder that is not there are none", async () => {
  await dropDraftsOfThread(join(folder, "nowhere"), threadId);
  expect(await names()).toEqual([]);
});
