// Runs the compiled `bridle` as a user's shell would.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const binary = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment, which counts without its own BRIDLE_ and PORT names. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is on standard input, which then ends; without it there is nothing. */
  readonly stdin?: string | Uint8Array;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** What it has written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** Starts a command with its standard input open. */
export function startBridle(args: readonly string[], options: RunOptions = {}): Started {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(BRIDLE_|PORT$|NODE_OPTIONS$|VITEST)/.test(name),
  );
  const child = spawn(process.execPath, [binary, ...args], {
    cwd: options.cwd,
    env: { ...Object.fromEntries(kept), ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  // It may end without having read what it was given.
  child.stdin.on("error", () => {});
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended, stdout: () => stdout, stderr: () => stderr };
}

/** Runs a command to its end. */
export async function runBridle(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const { child, ended } = startBridle(args, options);
  child.stdin?.end(options.stdin ?? "");
  return await ended;
}
