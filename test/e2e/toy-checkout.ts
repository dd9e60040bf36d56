// A checkout in miniature: Bridle's own start scripts over stand-ins for npm and the compiler that record each call.
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const scripts = fileURLToPath(new URL("../../scripts", import.meta.url));

/** What the stand-ins share: they note their call, and wait while a file named `hold-NAME` is there. */
const standIn = `
const fs = require("node:fs");
const path = require("node:path");
const root = process.cwd();
exports.begin = (name) => {
  fs.appendFileSync(path.join(root, "calls"), name + "\\n");
  fs.writeFileSync(path.join(root, "pid-" + name), String(process.pid));
};
exports.hold = (name) => {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (fs.existsSync(path.join(root, "hold-" + name))) Atomics.wait(clock, 0, 0, 20);
};
`;

const fakeNpm = `
const fs = require("node:fs");
const path = require("node:path");
const { begin, hold } = require("./stand-in.cjs");
begin("npm");
fs.writeFileSync("npm-args", process.argv.slice(2).join(" "));
if (fs.existsSync("npm-fails")) { console.error("npm error network unreachable"); process.exit(1); }
fs.rmSync("node_modules", { recursive: true, force: true });
const put = (file, text) => {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
};
put("node_modules/half", "");
hold("npm");
put("node_modules/typescript/bin/tsc", fs.readFileSync(path.join(__dirname, "tsc.cjs"), "utf8"));
put("node_modules/typescript/bin/stand-in.cjs", fs.readFileSync(path.join(__dirname, "stand-in.cjs")));
for (const name of ["swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css", "LICENSE", "NOTICE"]) {
  put("node_modules/swagger-ui-dist/" + name, name);
}
put("node_modules/left/index.js", "");
fs.writeFileSync("node_modules/.package-lock.json", fs.readFileSync("package-lock.json"));
`;

/** Compiles by copying; a source that says so does not compile. */
const fakeCompiler = `
const fs = require("node:fs");
const path = require("node:path");
const { begin, hold } = require("./stand-in.cjs");
begin("tsc");
const out = process.argv[process.argv.indexOf("--outDir") + 1];
for (const file of fs.readdirSync("src", { recursive: true })) {
  if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
  const text = fs.readFileSync(path.join("src", file), "utf8");
  if (text.includes("does not compile")) { console.error(file + "(1,1): error TS1005"); process.exit(2); }
  const to = path.join(out, file.replace(/ts$/, "js"));
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.writeFileSync(to, text);
}
hold("tsc");
`;

/** Stands for the server: tells its arguments, waits where asked to, and ends as it is told. */
const fakeMain = `
import { existsSync } from "node:fs";
process.exitCode = Number(process.env.TOY_EXIT ?? 0);
if (process.argv.includes("--stay")) {
  const alive = setInterval(() => {}, 1000);
  process.on("SIGTERM", () => { console.log("DRAINED"); clearInterval(alive); process.exitCode = 7; });
}
// Whoever reads this may signal at once.
console.log("ARGS " + process.argv.slice(2).join(" "));
`;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly output: () => string;
  kill(signal: NodeJS.Signals): void;
}

export interface ToyCheckout {
  readonly root: string;
  /** Which stand-ins have run, in order. */
  calls(): string[];
  has(file: string): boolean;
  read(file: string): string;
  write(file: string, text: string): void;
  remove(file: string): void;
  /** Runs one of the scripts; it ends by itself or is killed by the test. */
  run(script: string, args?: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** Lets a stand-in wait in the middle of its work, and go on. */
  hold(name: "npm" | "tsc"): void;
  release(name: "npm" | "tsc"): void;
  /** Process of the stand-in that ran last. */
  pidOf(name: "npm" | "tsc"): number;
  dispose(): void;
}

/** Waits until something is so, looking again and again. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(20);
}

/** Makes one in a temporary folder. */
export function createToyCheckout(): ToyCheckout {
  const root = mkdtempSync(path.join(tmpdir(), "bridle-toy-"));
  const tools = mkdtempSync(path.join(tmpdir(), "bridle-tools-"));
  const at = (file: string) => path.join(root, file);
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(at(file)), { recursive: true });
    writeFileSync(at(file), text);
  };
  cpSync(scripts, at("scripts"), { recursive: true });
  write("package.json", JSON.stringify({ type: "module", engines: { node: ">=20.19" } }));
  write(
    "package-lock.json",
    JSON.stringify({ packages: { "": {}, "node_modules/left": { version: "1.0.0" } } }),
  );
  write("tsconfig.json", "{}");
  write("src/cli/main.ts", fakeMain);
  writeFileSync(path.join(tools, "npm-cli.js"), fakeNpm);
  writeFileSync(path.join(tools, "tsc.cjs"), fakeCompiler);
  writeFileSync(path.join(tools, "stand-in.cjs"), standIn);
  return {
    root,
    calls: () =>
      existsSync(at("calls")) ? readFileSync(at("calls"), "utf8").trim().split("\n") : [],
    has: (file) => existsSync(at(file)),
    read: (file) => readFileSync(at(file), "utf8"),
    write,
    remove: (file) => rmSync(at(file), { recursive: true }),
    run: (script, args = [], env = {}) => {
      const child = spawn(process.execPath, [at(`scripts/${script}`), ...args], {
        cwd: root,
        env: { ...process.env, npm_execpath: path.join(tools, "npm-cli.js"), ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (chunk) => {
        stdout += chunk;
      });
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      const ended = new Promise<Ended>((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code, signal) => {
          // Not "close": a stand-in that outlives its parent keeps the pipes open.
          setImmediate(() => resolve({ code, signal, stdout, stderr }));
        });
      });
      return {
        pid: child.pid!,
        ended,
        output: () => stdout + stderr,
        kill: (signal) => void child.kill(signal),
      };
    },
    hold: (name) => write(`hold-${name}`, ""),
    release: (name) => rmSync(at(`hold-${name}`)),
    pidOf: (name) => Number(readFileSync(at(`pid-${name}`), "utf8")),
    dispose: () => {
      rmSync(root, { recursive: true, force: true });
      rmSync(tools, { recursive: true, force: true });
    },
  };
}
