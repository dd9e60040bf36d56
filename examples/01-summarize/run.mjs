// Summarizes a text at three lengths and shows where in the text each sentence stood.
import { readFile } from "node:fs/promises";
import { createSummarizer, readDocument, rouge } from "bridle";

const bytes = await readFile(new URL("./harbour.txt", import.meta.url));
const { text } = await readDocument(bytes, { fileName: "harbour.txt" });

const summarizer = await createSummarizer();
try {
  for (const parameters of [{ sentences: 1 }, { ratio: 0.15 }, { maxWords: 45 }]) {
    const { summary, sources, usage } = await summarizer.summarize(text, { parameters });
    const places = sources.map(({ start }) => `${Math.round((100 * start) / text.length)} %`);
    console.log(
      `${JSON.stringify(parameters)}: ${usage.outputTokens} of ${usage.inputTokens} words`,
    );
    console.log(`  ${summary}`);
    console.log(`  from ${places.join(", ")} of the way through the text`);
  }

  const reference =
    "The village took over the lighthouse that the harbour authority had switched off.";
  const { summary } = await summarizer.summarize(text, { parameters: { sentences: 2 } });
  const { rouge1, rougeL } = rouge(reference, summary, { stemmer: true });
  console.log(`ROUGE-1 ${rouge1.fmeasure.toFixed(3)}, ROUGE-L ${rougeL.fmeasure.toFixed(3)}`);
} finally {
  await summarizer.close();
}
