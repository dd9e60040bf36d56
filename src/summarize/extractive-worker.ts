// The thread that summarizes long documents by extraction.
import { answering } from "../text/worker-answer.js";
import { extractSummary } from "./extractive/extract.js";
import type { SummaryParameters, SummaryResult } from "./summarizer.js";

export interface ExtractiveTask {
  readonly document: string;
  readonly parameters: SummaryParameters;
}

export default answering<ExtractiveTask, SummaryResult>(({ document, parameters }) =>
  extractSummary(document, parameters),
);
