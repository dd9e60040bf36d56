// Starts the compiled `bridle serve` on a free port, as a user would, and stops it.
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const binary = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface ServedBridle {
  readonly url: string;
  /** What it has written so far, to both outputs. */
  said(): string;
  stop(): Promise<void>;
}

/**
 * @param env what to add to this process's environment, which counts without its own BRIDLE_ and PORT names
 * @param models what to serve, unless it is what is served by default
 * @param flags of `bridle serve` besides
 * @param cwd the folder it is started in; this process's unless said
 */
export async function serveBridle(
  env: Readonly<Record<string, string>> = {},
  models: readonly string[] = [],
  flags: readonly string[] = [],
  cwd = process.cwd(),
): Promise<ServedBridle> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(BRIDLE_|PORT$|NODE_OPTIONS$|VITEST)/.test(name),
  );
  const args = ["serve", "--port", "0", "--log-level", "warn", ...flags];
  for (const model of models) args.push("--model", model);
  const child = spawn(process.execPath, [binary, ...args], {
    cwd,
    env: { ...Object.fromEntries(kept), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const url = await readAddress(child);
  for (;;) {
    const { ok } = await fetch(`${url}/ready`);
    if (ok) break;
    await sleep(50);
  }
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    url,
    said: () => said,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Waits for the line that says where it listens; fails with all it said when it ends before. */
function readAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (chunk: Buffer) => {
      said += chunk.toString();
      const url = /listening on (http:\/\/\S+)/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`bridle serve ended with ${code}: ${said}`)));
  });
}
