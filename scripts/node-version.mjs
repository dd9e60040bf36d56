// Stops with a clear line where Node is too old; imported before anything that needs a newer Node.
// @ts-check
import { readFileSync } from "node:fs";
import process from "node:process";

/** @type {{engines: {node: string}}} */
const { engines } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), { encoding: "utf8" }),
);
const [wantedMajor = 0, wantedMinor = 0] = engines.node.replace(/^\D+/, "").split(".").map(Number);
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
  console.error(
    `Bridle needs Node ${wantedMajor}.${wantedMinor} or newer; this is Node ${process.versions.node}.`,
  );
  console.error("Install a newer one from https://nodejs.org/ and run the same command again.");
  process.exit(8);
}
