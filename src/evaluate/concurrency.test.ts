// A neural model gives the same, however many rows of a file are in work at once.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { summarizeFile } from "../summarize/batch.js";
import { createSummarizer } from "../summarize/create-summarizer.js";
import { evaluate } from "./evaluate.js";

it("writes the same summaries and scores for many rows at once as for one after the other", async () => {
  const root = await mkdtemp(join(tmpdir(), "bridle-concurrency-"));
  const model = await makeTinyPegasus(join(root, "model"));
  const summarizer = await createSummarizer({ model, device: "cpu" });
  try {
    const text =
      "The harbour was closed in the winter. The people said that the storm was old. ".repeat(9);
    const rows = Array.from({ length: 40 }, (_, i) => text.slice(0, 20 + ((i * 113) % 680)));
    const pairs = rows.map((document, i) => ({
      ...{ document, references: ["The harbour closed."], id: i, file: "test.jsonl", line: i + 1 },
    }));
    const input = join(root, "rows.jsonl");
    await writeFile(input, rows.map((row) => JSON.stringify({ text: row })).join("\n"));
    const gives = async (options: { concurrency?: number }) => {
      const output = join(root, "summaries.jsonl");
      await summarizeFile(summarizer, { input, output, overwrite: true, ...options });
      const scored = { language: "en", samples: 10, ...options };
      const { timing: _, ...figures } = await evaluate(summarizer, pairs, scored);
      return { figures, text: await readFile(output, "utf8") };
    };
    const together = await gives({});
    expect(together.text.trim().split("\n")).toHaveLength(rows.length);
    expect(together).toEqual(await gives({ concurrency: 1 }));
  } finally {
    await summarizer.close();
    await rm(root, { recursive: true });
  }
});
