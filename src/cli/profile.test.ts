// `bridle profile` as somebody types it: tables, JSON and a trace of real steps and summaries at toy size.
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { makeToyRun } from "../../test/support/train-toy.js";
import { runProgram } from "./program.js";

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-profile-"));
  model = await makeTinyPegasus(join(root, "model"));
});
afterAll(() => rm(root, { recursive: true }));

async function bridle(...args: string[]): Promise<string> {
  const terminal = createMemoryTerminal({ env: {} });
  await runProgram(args, terminal);
  return terminal.out();
}

/** Names of a trace's events, by category. */
async function namesIn(file: string): Promise<Map<string, Set<string>>> {
  const { traceEvents } = JSON.parse(await readFile(file, "utf8")) as {
    traceEvents: { cat: string; name: string }[];
  };
  const names = new Map<string, Set<string>>();
  for (const { cat, name } of traceEvents) names.set(cat, (names.get(cat) ?? new Set()).add(name));
  return names;
}

it("tells where a training step's time goes, and keeps nothing of the run", async () => {
  const input = await makeToyRun(join(root, "run"), { accumulate: 2 });
  const params = join(root, "params.json.yaml");
  await writeFile(params, JSON.stringify(input));
  const trace = join(root, "train.json");
  const told = JSON.parse(
    await bridle(
      ...["profile", "train", params, "--steps", "3", "--warm-up", "1"],
      ...["--trace", trace, "--json"],
    ),
  );
  expect(told).toMatchObject({ unit: "step", repetitions: 3, device: "cpu", trace });
  const phases = told.phases.map(({ phase }: { phase: string }) => phase);
  expect(phases).toEqual(
    expect.arrayContaining(["gradients", "batch", "accumulate", "norm", "optimizer", "rest"]),
  );
  const shares = told.phases.reduce((sum: number, { share }: { share: number }) => sum + share, 0);
  expect(shares).toBeCloseTo(1, 5);
  const product = told.operators.find(({ op }: { op: string }) => /MatMul|Gemm/.test(op));
  expect(product.session).toBe("gradients");
  expect(product.gflopsPerSecond).toBeGreaterThan(0);
  expect(told.tokens).toBeGreaterThan(0);
  expect([...((await namesIn(trace)).get("phase") ?? [])]).toEqual(
    expect.arrayContaining(["step", "optimizer"]),
  );
  expect(existsSync(input.train?.output as string)).toBe(false);
});

it("tells where a summary's time goes, in words too", async () => {
  const document = join(root, "news.txt");
  await writeFile(document, "The storm closed the harbour on Monday. The ferry was damaged.");
  const trace = join(root, "summary.json");
  const out = await bridle(
    ...["profile", "summarize", document, "--model", model, "--repeats", "2", "--warm-up", "1"],
    ...["--num-beams", "2", "--max-new-tokens", "8", "--trace", trace],
  );
  expect(out).toMatch(/2 summaries of \d+ tokens in \d+; cpu, fp32, \d+ threads/);
  expect(out).toMatch(/^encoder +\w*MatMul/m);
  expect(out).toMatch(/^decoder +\w+/m);
  expect(out).toMatch(/^tokenizer +\d/m);
  expect(out).toContain(`The trace is in ${trace}`);
  const names = await namesIn(trace);
  expect(names.get("run")).toEqual(new Set(["encoder", "decoder"]));
  expect(names.get("operator")?.size).toBeGreaterThan(3);
});

it("refuses the extractive model, which has no graph", async () => {
  const file = join(root, "x.txt");
  await writeFile(file, "A text.");
  await expect(bridle("profile", "summarize", file, "--model", "extractive")).rejects.toMatchObject(
    { code: "COMMAND_LINE_INVALID" },
  );
});
