// What is remembered of hashes is found again while a file is as it was, and a line that was cut off keeps nobody from the others.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { HashMemory } from "./hash-memory.js";

it("reads the lines that are whole", async () => {
  const folder = await mkdtemp(join(tmpdir(), "bridle-hashes-"));
  const file = join(folder, "hashes");
  const mark = { mtimeMs: 1000, inode: 7, sizeBytes: 3 };
  const written = new HashMemory(file);
  for (const name of ["a", "b"]) {
    const found = { ...mark, md5: `md5 of ${name}`, isExecutable: false, hashedAtMs: 2000 };
    written.remember(join(folder, name), found);
  }
  await written.save();
  const whole = (await readFile(file, "utf8")).trimEnd();
  await writeFile(file, whole.slice(0, -2));
  const memory = new HashMemory(file);
  expect(memory.find(join(folder, "a"), mark)).toBe("md5 of a");
  expect(memory.find(join(folder, "a"), { ...mark, mtimeMs: 1001 })).toBeUndefined();
  expect(memory.has(join(folder, "b"))).toBe(false);
  await rm(folder, { recursive: true });
});
