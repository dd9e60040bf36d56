#!/usr/bin/env node
// The `bridle` binary. A server is started from files that scripts/bundle.mjs has joined, which Node loads in half the time.
import process from "node:process";

const args = process.argv.slice(2);
if (args[0] === "serve") {
  const folder = new URL("./joined/", import.meta.url);
  const early: typeof import("./early-thread.js") = await import(`${folder}early-thread.js`);
  early.beginModelEarly(args);
  await import(`${folder}command.js`);
} else await import("./command.js");
