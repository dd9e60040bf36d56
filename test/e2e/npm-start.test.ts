// Tests that a server started by npm ends when npm is told to, although npm's shell hands no signal on.
import { spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const start = path.join(root, "scripts", "start.mjs");

/** Starts as npm does, with a shell in between that waits; resolves once it listens. */
async function startUnderShell(lifecycleEvent: string | undefined) {
  const { npm_lifecycle_event: _, ...env } = process.env;
  const shell = spawn("sh", ["-c", `"${process.execPath}" "${start}" --port 0; true`], {
    cwd: root,
    env: { ...env, ...(lifecycleEvent && { npm_lifecycle_event: lifecycleEvent }) },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that the test can end what stayed behind.
    detached: true,
  });
  let output = "";
  shell.stderr.on("data", (chunk) => {
    output += chunk;
  });
  // The server holds the pipes too: they close when both have ended.
  const ended = new Promise<void>((resolve) => shell.once("close", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    shell.stdout.on("data", (chunk) => {
      output += chunk;
      const found = /listening on (http:\/\/\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    shell.once("exit", () => reject(new Error(`it ended:\n${output}`)));
  });
  return { shell, url, ended };
}

const answers = (url: string) =>
  fetch(`${url}/health`).then(
    ({ ok }) => ok,
    () => false,
  );

/** Longest that a start may take, which builds where sources were edited, in ms. */
const buildLimitMs = 600_000;

describe.skipIf(process.platform === "win32")(
  "a server behind a shell",
  { timeout: buildLimitMs },
  () => {
    it("ends when npm's shell has ended, and lets go of its port", async () => {
      const { shell, url, ended } = await startUnderShell("start");
      expect(await answers(url)).toBe(true);
      shell.kill("SIGTERM");
      await ended;
      expect(await answers(url)).toBe(false);
    });

    it("stays if npm did not start it, as under nohup", async () => {
      const { shell, url, ended } = await startUnderShell(undefined);
      const exited = new Promise((resolve) => shell.once("exit", resolve));
      shell.kill("SIGTERM");
      await exited;
      // Several times as long as the server takes to notice where it does look.
      await sleep(1000);
      expect(await answers(url)).toBe(true);
      process.kill(-shell.pid!, "SIGTERM");
      await ended;
      expect(await answers(url)).toBe(false);
    });
  },
);
