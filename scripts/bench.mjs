// `npm run bench -- NAME [options]`: installs and builds what is stale, then runs bench/NAME.mjs with the options.
// @ts-check
import "./node-version.mjs";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { prepare } from "./build.mjs";

const folder = fileURLToPath(new URL("../bench", import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".mjs"))
  .map((file) => file.slice(0, -".mjs".length));
const [name, ...options] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(name === undefined ? "Say which bench." : `There is no bench named ${name}.`);
  console.error(`Use one of: ${names.join(", ")}, as in \`npm run bench -- ${names[0]}\`.`);
  process.exit(2);
}
await prepare();
const child = spawn(process.execPath, [path.join(folder, `${name}.mjs`), ...options], {
  stdio: "inherit",
});
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.on(signal, () => child.kill(signal));
}
child.once("exit", (code, signal) => {
  process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
});
