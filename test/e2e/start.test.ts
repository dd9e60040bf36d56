// Tests that starting the real, built Bridle again runs nothing but Bridle itself: no npm, no compiler, no bundler.
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Longest that the first start may take, which builds where sources were edited, in ms. */
const buildLimitMs = 600_000;

let folder: string;
let record: string;

/** Notes every Node process that starts, by what it runs. */
const recorder = `
const { isMainThread } = require("node:worker_threads");
if (isMainThread) require("node:fs").appendFileSync(process.env.STARTED_RECORD, process.argv.slice(1).join(" ") + "\\n");
`;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-start-"));
  record = path.join(folder, "started");
  writeFileSync(path.join(folder, "recorder.cjs"), recorder);
  for (const name of ["npm", "npx", "tsc", "vite"]) {
    const shim = path.join(folder, name);
    writeFileSync(shim, `#!/bin/sh\necho "${name} $*" >> "$STARTED_RECORD"\n`);
    chmodSync(shim, 0o755);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly started: readonly string[];
}

/** Starts Bridle, waits until it listens, asks it something, and stops it. */
async function startAndStop(): Promise<Outcome> {
  writeFileSync(record, "");
  const { npm_execpath: _, ...env } = process.env;
  const args = [path.join(root, "scripts", "start.mjs"), "--port", "0", "--log-level", "silent"];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: {
      ...env,
      PATH: [folder, process.env.PATH].join(path.delimiter),
      NODE_OPTIONS: `--require ${path.join(folder, "recorder.cjs")}`,
      STARTED_RECORD: record,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const listening = new Promise<string | undefined>((resolve) => {
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      const url = /listening on (http:\/\/\S+)/.exec(stdout)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", () => resolve(undefined));
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const url = await listening;
  if (url !== undefined) {
    const { status } = await fetch(`${url}/health`);
    expect(status).toBe(200);
    child.kill("SIGTERM");
  }
  const code = await ended;
  const started = readFileSync(record, "utf8").split("\n").filter(Boolean);
  return { code, stdout, stderr, started };
}

describe.skipIf(process.platform === "win32")("the second of two starts", () => {
  it(
    "serves, and runs neither npm nor a build",
    async () => {
      // The first one may find sources that were edited since the last build.
      await startAndStop();
      const { code, stdout, stderr, started } = await startAndStop();
      expect(stderr).toBe("");
      expect(stdout).toMatch(/^Bridle is listening on http:\/\/127\.0\.0\.1:\d+\n$/);
      expect(code).toBe(0);
      expect(started).toEqual([`${root}scripts/start.mjs --port 0 --log-level silent`]);
    },
    buildLimitMs,
  );
});
