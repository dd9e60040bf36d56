// What a run reads its files as, and where it keeps copies of those that cannot be read where they lie.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { makeToyRun } from "../../test/support/train-toy.js";
import { checkRunConfig } from "../config/load.js";
import type { RunConfigInput } from "../config/run-config.js";
import type { TrainEvent } from "./events.js";
import { train } from "./loop.js";

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-run-data-"));
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rm(root, { recursive: true }));

/** A toy run of one step whose rows are tables. */
async function tableRun(delimiter: string, encoding: BufferEncoding): Promise<RunConfigInput> {
  const input = await makeToyRun(join(root, `run-${++count}`), { maxSteps: 1 });
  const table = async (file: string) => {
    const rows = (await readFile(file, "utf8")).trim().split("\n");
    const lines = rows.map((row) => Object.values<string>(JSON.parse(row)).join(delimiter));
    const csv = `${file}.csv`;
    const text = [`document${delimiter}summary`, ...lines, `café${delimiter}café`, ""].join("\n");
    await writeFile(csv, Buffer.from(text, encoding));
    return csv;
  };
  const { train, validation } = input.data as { train: string; validation: string };
  const tables = { train: await table(train), validation: await table(validation) };
  return { ...input, data: { ...input.data, ...tables } };
}

async function rowsOf(input: RunConfigInput): Promise<number[]> {
  const events: TrainEvent[] = [];
  await train(checkRunConfig(input), { onEvent: (event) => void events.push(event) });
  return events.flatMap((event) => (event.type === "data" ? [event.report.rows] : []));
}

it("reads tables by the delimiter and in the encoding that the configuration names", async () => {
  const input = await tableRun("~", "latin1");
  await expect(rowsOf(input)).rejects.toMatchObject({
    code: "ROW_NOT_UTF8",
    hint: expect.stringContaining("data.encoding"),
  });
  const named = { encoding: "windows-1252", delimiter: "~" };
  expect(await rowsOf({ ...input, data: { ...input.data, ...named } })).toEqual([41, 7]);
});

it("keeps copies in its own folder, and clears away those of a run that was killed", async () => {
  const input = await tableRun(",", "utf8");
  const out = input.train?.output as string;
  for (const name of ["TMPDIR", "TEMP", "TMP"]) vi.stubEnv(name, join(root, "absent"));
  expect(await rowsOf(input)).toEqual([41, 7]);
  const left = await readdir(out);
  await writeFile(join(out, "bridle-0e7a1b52-94c1-4d0e-9b1f-3a5d6c7e8f90.spool"), "rows");
  expect(await rowsOf(input)).toEqual([41, 7]);
  expect(await readdir(out)).toEqual(left);
  expect(left.filter((name) => name.endsWith(".spool"))).toEqual([]);
});
