// `npm start`: installs and builds what is stale, then serves. The server runs in this very process, so that
// signals and the exit code reach whoever started it as they are.
// @ts-check
import "./node-version.mjs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { prepare } from "./build.mjs";

/** How often to look whether npm's shell is still there, in ms. */
const lookEveryMs = 250;

// npm runs scripts through a shell, which dies of the SIGTERM that npm hands on and tells nobody: without this the
// server would stay behind, holding its port.
if (process.env.npm_lifecycle_event === "start") {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent && isAlive(parent)) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, lookEveryMs);
  watch.unref();
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
    // A second signal would cut short the requests in flight.
    process.prependOnceListener(signal, () => {
      clearInterval(watch);
      // With no other listener the signal must end the process, as it does by default.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

await prepare();
const main = new URL("../dist/cli/main.js", import.meta.url);
process.argv.splice(1, 1, fileURLToPath(main), "serve");
await import(main.href);
