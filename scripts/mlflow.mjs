// Tells the real mlflow server of runs and models, and imports its runs: the tests that are skipped where it is not there.
// node scripts/mlflow.mjs [--mlflow PROGRAM]; makes a Python with MLflow under bench/.cache where none is named
// @ts-check
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cacheFolder } from "../bench/frame/checkpoint.mjs";
import { prepare } from "./build.mjs";
import { installMlflow, mlflowVersion } from "./mlflow-server.mjs";

const { values } = parseArgs({ options: { mlflow: { type: "string" } } });
const program = values.mlflow ?? installMlflow(path.join(cacheFolder, `mlflow-${mlflowVersion}`));
await prepare();
const root = fileURLToPath(new URL("..", import.meta.url));
const tests = [
  "test/contract/mlflow.test.ts",
  "test/contract/run-import.test.ts",
  "test/contract/run-import-stores.test.ts",
  "test/e2e/runs-mlflow.test.ts",
  "test/e2e/mlflow-page.test.ts",
];
const vitest = path.join(root, "node_modules", "vitest", "vitest.mjs");
const child = spawn(process.execPath, [vitest, "run", ...tests, "-t", "real mlflow"], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, BRIDLE_MLFLOW: program },
});
child.once("exit", (code) => {
  process.exitCode = code ?? 1;
});
