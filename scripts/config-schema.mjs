// Writes the JSON Schemas of params.yaml and of its sections, which editors complete and check YAML files by.
// @ts-check
import { mkdir, writeFile } from "node:fs/promises";

import { dataTestsJsonSchema, runConfigJsonSchema, sections } from "../dist/config/schema-keys.js";

const folder = new URL("../configs/schemas/", import.meta.url);
await mkdir(folder, { recursive: true });
/** @param {string} name @param {object} schema */
const write = (name, schema) =>
  writeFile(new URL(`${name}.schema.json`, folder), `${JSON.stringify(schema, null, 2)}\n`);
await write("params", runConfigJsonSchema());
for (const section of sections) await write(section, runConfigJsonSchema(section));
await write("data-tests", dataTestsJsonSchema());
