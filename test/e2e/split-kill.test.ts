// kill -9 while data is split over an earlier split: at any moment the folder is whole, or the next split makes it so.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, watch } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { SplitRecord } from "../../src/data/checks/split.js";
import { binary, runBridle } from "../support/run-bridle.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-split-kill-"));
  const rows = Array.from({ length: 3000 }, (_, at) => {
    const words = Array.from({ length: 30 }, (_, i) => `w${(at * 7919 + i * 104729) % 99_991}`);
    return `${JSON.stringify({ document: words.join(" "), id: at })}\n`;
  });
  await writeFile(path.join(folder, "rows.jsonl"), rows.join(""));
});
afterAll(() => rm(folder, { recursive: true }));

const args = (seed: number) => [
  "data",
  "split",
  "rows.jsonl",
  "--output",
  "out",
  "--overwrite",
  "--exact",
  "--seed",
  String(seed),
];

/** Checks that a folder's files are those of its record. @returns the seed it was split by */
async function seedOf(name: string): Promise<number> {
  const at = (file: string) => path.join(folder, name, file);
  const record = JSON.parse(await readFile(at("split.json"), "utf8")) as SplitRecord;
  for (const { file, sha256 } of Object.values(record.splits)) {
    expect(
      createHash("sha256")
        .update(await readFile(at(file)))
        .digest("hex"),
    ).toBe(sha256);
  }
  return record.seed;
}

it("leaves the old split or the new one, and nothing of the killed one after the next", async () => {
  expect((await runBridle(args(0), { cwd: folder })).code).toBe(0);
  let killed = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const last = existsSync(path.join(folder, "out"))
      ? await seedOf("out")
      : await seedOf("out.old");
    const child = spawn(process.execPath, [binary, ...args(seed)], {
      cwd: folder,
      stdio: "ignore",
    });
    // What happens there: the new folder is made, the old one moved, the new one moved, the old one moved away and removed.
    let events = 0;
    const watcher = watch(folder, () => {
      if (++events === 1 + (seed % 7)) child.kill("SIGKILL");
    });
    const [, signal] = await once(child, "exit");
    watcher.close();
    if (signal === "SIGKILL") killed++;
    const standing = existsSync(path.join(folder, "out")) ? "out" : "out.old";
    expect([last, seed]).toContain(await seedOf(standing));
    // What stands aside is whole too, or the next could neither bring it back nor put another in its place.
    if (existsSync(path.join(folder, "out.old"))) await seedOf("out.old");
  }
  expect(killed).toBeGreaterThan(4);
  expect((await runBridle(args(99), { cwd: folder })).code).toBe(0);
  expect(await seedOf("out")).toBe(99);
  expect((await readdir(folder)).sort()).toEqual(["out", "rows.jsonl"]);
}, 120_000);
