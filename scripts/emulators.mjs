// Installs the clouds' emulators into a folder, for the tests that BRIDLE_EMULATORS=FOLDER lets run on them.
// node scripts/emulators.mjs FOLDER; needs npm, and python3 with venv. Nothing of it is part of the package.
// @ts-check
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** The last azurite that runs on Node 20. */
const azurite = "azurite@3.35.0";
/** moto with what S3 needs; its extra `server` brings every other service's. */
const pythonPackages = [
  "gcp-storage-emulator==2026.7.19",
  "moto[s3]==5.2.3",
  "flask",
  "flask-cors",
];

const [given] = process.argv.slice(2);
if (given === undefined || given.startsWith("-")) {
  console.error("Usage: node scripts/emulators.mjs FOLDER");
  process.exit(2);
}
const folder = path.resolve(given);
mkdirSync(folder, { recursive: true });

/** @param {string} command @param {string[]} args */
const run = (command, args) => {
  execFileSync(command, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
};

if (!existsSync(path.join(folder, "package.json"))) {
  writeFileSync(path.join(folder, "package.json"), '{ "private": true }\n');
}
run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", azurite]);
run("python3", ["-m", "venv", "python"]);
run(path.join(folder, "python", "bin", "python"), [
  // Compiled when it is imported: most of it never is.
  ...["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"],
  ...pythonPackages,
]);
console.log(
  `${[azurite, ...pythonPackages].join(", ")} are in ${folder}; name it in BRIDLE_EMULATORS.`,
);
