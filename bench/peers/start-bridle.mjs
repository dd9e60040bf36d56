// Bridle's side of the start bench: opens a model folder, summarizes one document, tells it and its own memory.
// @ts-check
import { readFileSync } from "node:fs";
import { createSummarizer } from "../../dist/index.js";
import { memory } from "../frame/child.mjs";

const { folder, document, beams, newTokens, threads } = JSON.parse(process.argv[2] ?? "{}");
const summarizer = await createSummarizer({ model: folder, device: "cpu", threads });
const { summary, usage } = await summarizer.summarize(readFileSync(document, "utf8"), {
  parameters: { numBeams: beams, maxNewTokens: newTokens, minNewTokens: newTokens },
});
const { inputTokens, outputTokens } = usage;
process.stdout.write(`${JSON.stringify({ summary, inputTokens, outputTokens, ...memory() })}\n`);
await summarizer.close();
