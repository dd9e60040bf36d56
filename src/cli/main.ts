#!/usr/bin/env node
// The `bridle` binary. A server has a start of its own, whose code is joined into few files when it is built.
import process from "node:process";

if (process.argv[2] === "serve") await import("./serve-start.js");
else await import("./command.js");
