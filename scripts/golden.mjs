// `npm run golden -- DIR`: installs and builds what is stale, then compares Bridle with the figures recorded in DIR.
// @ts-check
import process from "node:process";
import { prepare } from "./build.mjs";

await prepare();
const { main } = await import("../test/golden/run.mjs");
process.exitCode = await main(process.argv.slice(2));
