// Installs MLflow's own server into a folder, for the tests that BRIDLE_MLFLOW=FOLDER/bin/mlflow lets run on it.
// node scripts/mlflow-server.mjs FOLDER; needs python3 with venv. Nothing of it is part of the package.
// @ts-check
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const mlflowVersion = "3.17.2";

/**
 * What its server loads, in the versions that it takes. What it needs to load and judge models (scikit-learn, SciPy, pyarrow,
 * matplotlib, …) is four fifths of a gigabyte, and no server of ours is asked for it.
 */
const packages = [
  `mlflow-skinny==${mlflowVersion}`,
  "Flask<4",
  "Flask-CORS<7",
  "aiohttp<4,>=3.7.0",
  "alembic!=1.10.0,<2",
  "cryptography<51,>=43.0.0",
  "graphene<4",
  "numpy<3",
  "pandas<4",
  "sqlalchemy<3,>=1.4.0",
];

/**
 * Makes a Python with MLflow, unless the folder has it.
 * @param {string} folder
 * @returns {string} the program `mlflow`
 */
export function installMlflow(folder) {
  const isWindows = process.platform === "win32";
  const bin = path.join(folder, isWindows ? "Scripts" : "bin");
  const program = path.join(bin, "mlflow");
  const complete = path.join(folder, ".complete");
  if (existsSync(complete)) return program;
  rmSync(folder, { recursive: true, force: true });
  const run = (/** @type {string} */ command, /** @type {string[]} */ args) => {
    execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  };
  run(isWindows ? "python" : "python3", ["-m", "venv", folder]);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"];
  run(path.join(bin, "python"), [...pip, ...packages]);
  run(path.join(bin, "python"), [...pip, "--no-deps", `mlflow==${mlflowVersion}`]);
  writeFileSync(complete, `${mlflowVersion}\n`);
  return program;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [given] = process.argv.slice(2);
  if (given === undefined || given.startsWith("-")) {
    console.error("Usage: node scripts/mlflow-server.mjs FOLDER");
    process.exit(2);
  }
  const program = installMlflow(path.resolve(given));
  console.log(`MLflow ${mlflowVersion} is at ${program}; name it in BRIDLE_MLFLOW.`);
}
