// Bridle's side of the decode bench: opens a model once, then generates for every batch it is given on a line.
// @ts-check
import { createInterface } from "node:readline";
import { loadModel } from "../../dist/index.js";
import { memory } from "../frame/child.mjs";

const { folder, dtype, threads } = JSON.parse(process.argv[2] ?? "{}");
const model = await loadModel(folder, { dtype, device: "cpu", threads });
const say = (/** @type {object} */ answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { inputIds, beams, newTokens } = JSON.parse(line);
  const began = performance.now();
  const { sequences } = await model.generate(
    { inputIds },
    { numBeams: beams, maxNewTokens: newTokens, minNewTokens: newTokens },
  );
  const seconds = (performance.now() - began) / 1000;
  say({ seconds, lengths: sequences.map((ids) => ids.length - 1), ...memory() });
}
await model.close();
