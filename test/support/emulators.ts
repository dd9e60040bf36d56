// The clouds' emulators, from where scripts/emulators.mjs put them: other people's idea of what a cloud answers.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

/** The folder of `node scripts/emulators.mjs FOLDER`, by BRIDLE_EMULATORS; undefined where none is named. */
const folder = process.env.BRIDLE_EMULATORS;

const programs = {
  azurite: ["node_modules", "azurite", "dist", "src", "blob", "main.js"],
  "gcp-storage-emulator": ["python", "bin", "gcp-storage-emulator"],
  moto: ["python", "bin", "moto_server"],
} as const;
export type Emulator = keyof typeof programs;

const fileOf = (name: Emulator) => path.join(folder ?? "", ...programs[name]);

/** @throws where a folder is named and has it not, which is a mistake rather than a reason to skip */
export function hasEmulator(name: Emulator): boolean {
  if (folder === undefined) return false;
  if (existsSync(fileOf(name))) return true;
  throw new Error(
    `BRIDLE_EMULATORS=${folder} has no ${name}: run node scripts/emulators.mjs there`,
  );
}

export interface RunningEmulator {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts one on a free port of this machine, without a bucket. */
export async function startEmulator(name: Emulator): Promise<RunningEmulator> {
  const scratch = mkdtempSync(path.join(tmpdir(), "bridle-emulator-"));
  const port = await freePort();
  const commands: Record<Emulator, [string, string[]]> = {
    azurite: [
      process.execPath,
      [
        ...[fileOf(name), "--blobHost", "127.0.0.1", "--blobPort", String(port), "--silent"],
        ...["--location", scratch, "--skipApiVersionCheck", "--disableTelemetry"],
      ],
    ],
    "gcp-storage-emulator": [
      fileOf(name),
      ["start", "--host=127.0.0.1", `--port=${port}`, "--in-memory"],
    ],
    moto: [fileOf(name), ["-H", "127.0.0.1", "-p", String(port)]],
  };
  const [command, args] = commands[name];
  const child = spawn(command, args, { cwd: scratch, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.on("data", (piece) => {
    said = (said + String(piece)).slice(-2000);
  });
  const url = `http://127.0.0.1:${port}`;
  const close = async () => {
    await ended(child);
    rmSync(scratch, { recursive: true, force: true });
  };
  try {
    await answers(url, child, () => said);
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return { url, close };
}

async function answers(url: string, child: ChildProcess, said: () => string): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (child.exitCode !== null) throw new Error(`an emulator ended at once: ${said()}`);
    const isUp = await fetch(url).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`an emulator does not answer at ${url}: ${said()}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port is free");
  return address.port;
}
