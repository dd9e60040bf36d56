// The version of this package, as its package.json says.
import { readFileSync } from "node:fs";

const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");

/** Semantic version, such as 0.1.0. */
export const bridleVersion = (JSON.parse(manifest) as { version: string }).version;
