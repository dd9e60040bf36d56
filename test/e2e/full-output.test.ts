// Where standard output has no room: told as any other file that cannot be written, and by its exit code.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
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
