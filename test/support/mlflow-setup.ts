// Starts the real mlflow server beside the tests where BRIDLE_MLFLOW names its program: one for all of them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where it will answer once it is up, and what it has written. */
    readonly mlflow: { readonly url: string; readonly log: string };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits for nothing: whoever needs the server does. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | void> {
  const program = process.env.BRIDLE_MLFLOW;
  if (!program) return;
  const folder = mkdtempSync(path.join(tmpdir(), "bridle-mlflow-server-"));
  const port = await freePort();
  const log = path.join(folder, "log");
  const output = openSync(log, "w");
  const child = spawn(
    program,
    [
      "server",
      ...["--host", "127.0.0.1", "--port", String(port), "--workers", "1"],
      ...["--backend-store-uri", `sqlite:///${path.join(folder, "mlflow.db")}`],
      ...["--artifacts-destination", path.join(folder, "artifacts")],
    ],
    {
      stdio: ["ignore", output, output],
      detached: true,
      cwd: folder,
      // It asks nobody else for anything, and runs no jobs.
      env: {
        ...process.env,
        MLFLOW_DISABLE_TELEMETRY: "true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
      },
    },
  );
  const failed = once(child, "error").then(([error]) => {
    throw new Error(`BRIDLE_MLFLOW=${program} cannot be started`, { cause: error });
  });
  await Promise.race([once(child, "spawn"), failed]);
  closeSync(output);
  project.provide("mlflow", { url: `http://127.0.0.1:${port}`, log });
  return async () => {
    const ended = child.exitCode === null ? once(child, "exit") : undefined;
    try {
      // Its workers are processes of their own.
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}
