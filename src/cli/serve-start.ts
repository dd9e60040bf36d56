// Where `bridle serve` starts: the model's thread begins before this one loads its own code, which takes longer than starting it.
import process from "node:process";
import { beginModelEarly } from "./early-thread.js";

beginModelEarly(process.argv.slice(2));
await import("./command.js");
