// kill -9 in every phase of a run: what is left is whole, and the run ends with the weights of one that was left alone.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RunConfigInput } from "../../src/config/run-config.js";
import { makeToyRun } from "../support/train-toy.js";

const bridle = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-kill-"));
});
afterAll(() => rm(root, { recursive: true }));

/** The configuration as a file; JSON is YAML. */
async function start(folder: string, input: RunConfigInput): Promise<ChildProcess> {
  const file = join(folder, "params.yaml");
  await writeFile(file, JSON.stringify(input));
  return spawn(process.execPath, [bridle, "train", file], { stdio: ["ignore", "ignore", "pipe"] });
}

async function finish(child: ChildProcess): Promise<string> {
  let told = "";
  child.stderr?.on("data", (chunk) => (told += String(chunk)));
  const [code] = await once(child, "exit");
  expect(code, told).toBe(0);
  return told;
}

/** Kills the process when a name that matches appears in the folder for the n-th time. */
async function killAt(
  child: ChildProcess,
  folder: string,
  name: RegExp,
  nth: number,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  let seen = 0;
  const watcher = watch(folder, (_, file) => {
    if (file !== null && name.test(file) && ++seen >= nth) child.kill("SIGKILL");
  });
  await once(child, "exit");
  watcher.close();
}

it("ends with the same weights after kills in steps, checkpoints, evaluations and the end", async () => {
  const whole = join(root, "whole");
  await finish(await start(whole, await makeToyRun(whole)));
  const expected = await readFile(join(whole, "out", "model.safetensors"));

  const killed = join(root, "killed");
  const input = await makeToyRun(killed);
  const out = join(killed, "out");
  const moments: [string, RegExp, number][] = [
    [out, /^events\.jsonl$/, 3],
    [join(out, "checkpoints"), /^step-2\.tmp$/, 1],
    [out, /^events\.jsonl$/, 8],
    [out, /^best\.tmp$/, 1],
    [join(out, "checkpoints"), /^step-4$/, 2],
    [join(out, "checkpoints"), /\.tmp$/, 1],
    [out, /^model\.safetensors\.tmp$/, 1],
  ];
  let kills = 0;
  for (const [folder, name, nth] of moments) {
    const child = await start(killed, input);
    await killAt(child, folder, name, nth);
    if (child.signalCode === "SIGKILL") kills++;
    for (const step of await readdir(join(out, "checkpoints")).catch(() => [])) {
      if (!/^step-\d+$/.test(step)) continue;
      // A checkpoint that can be seen is whole.
      const files = await readdir(join(out, "checkpoints", step));
      expect(files.sort()).toEqual(["progress.json", "state.safetensors"]);
    }
  }
  expect(kills).toBeGreaterThanOrEqual(4);
  await finish(await start(killed, input));
  expect(await readFile(join(out, "model.safetensors"))).toEqual(expected);
  expect((await readdir(out)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
}, 300_000);
