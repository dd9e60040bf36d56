// Makes the Python that peers run in: a virtual environment under bench/.cache with exact versions of packages.
// @ts-check
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cacheFolder } from "./checkpoint.mjs";

/** What every transformers peer needs. Any build of these versions will do, the CPU's is the smallest. */
export const transformersPackages = [
  "torch==2.13.0",
  "transformers==5.24.0",
  "sentencepiece==0.2.3",
  "protobuf==7.36.2",
  "safetensors==0.8.0",
  "peft==0.21.2",
];

/** @param {string} python @param {readonly string[]} args */
function run(python, args) {
  execFileSync(python, args, { stdio: ["ignore", "inherit", "inherit"] });
}

/** @param {string} folder */
function interpreterOf(folder) {
  return process.platform === "win32"
    ? path.join(folder, "Scripts", "python.exe")
    : path.join(folder, "bin", "python");
}

/**
 * A Python that has the packages. BRIDLE_BENCH_PYTHON names one that is there already; pip's own settings say where
 * packages come from.
 * @param {readonly string[]} packages
 * @returns {string} the interpreter
 */
export function makePython(packages) {
  const given = process.env.BRIDLE_BENCH_PYTHON;
  if (given !== undefined) return given;
  const key = createHash("sha256").update(packages.join("\n")).digest("hex").slice(0, 8);
  const folder = path.join(cacheFolder, `python-${key}`);
  const complete = path.join(folder, ".complete");
  const python = interpreterOf(folder);
  if (existsSync(complete)) return python;
  console.log(`Making a Python with ${packages.join(", ")}; it takes some minutes …`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cacheFolder, { recursive: true });
  run(process.platform === "win32" ? "python" : "python3", ["-m", "venv", folder]);
  run(python, ["-m", "pip", "install", "--quiet", ...packages]);
  writeFileSync(complete, `${packages.join("\n")}\n`);
  return python;
}

/**
 * Versions of packages as that Python has them.
 * @param {string} python @param {readonly string[]} names
 * @returns {Record<string, string>}
 */
export function packageVersions(python, names) {
  const code =
    "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))";
  return JSON.parse(execFileSync(python, ["-c", code, ...names], { encoding: "utf8" }));
}
