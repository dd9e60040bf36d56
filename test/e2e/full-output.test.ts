// Where standard output has no room: told as any other file that cannot be written, and by its exit code.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { binary } from "../support/run-bridle.js";

it.skipIf(!existsSync("/dev/full")).each([[["--help"]], [["models", "--help", "--json"]]])(
  "bridle %j tells that it cannot write",
  async (args) => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [binary, ...args], { stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    let told = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      told += chunk;
    });
    const [code] = await once(child, "close");
    expect(told).toMatch(
      /^bridle: standard output cannot be written: the disk is full\.\n {2}\S.*\n$/,
    );
    expect(code).toBe(8);
  },
);

it.skipIf(!existsSync("/dev/full")).each(["text", "json"])(
  "a server whose log as %s cannot be written goes on answering",
  async (format) => {
    const full = openSync("/dev/full", "w");
    const args = [binary, "serve", "--port", "0", "--json", "--log-format", format];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", full] });
    closeSync(full);
    let told = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      told += chunk;
    });
    while (!told.endsWith("}\n") && child.exitCode === null) await sleep(20);
    const { listening } = JSON.parse(told) as { listening: string };
    for (let i = 0; i < 3; i++) {
      const response = await fetch(`${listening}/v1/summaries`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ document: "The harbour was closed. A storm came." }),
      });
      expect(response.status).toBe(200);
      await response.text();
      await sleep(50);
    }
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
  },
);
