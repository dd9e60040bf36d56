// Evaluation while training: the loss on rows held back, and summaries written by the path that serves, scored by ROUGE.
import type { RunConfig } from "../config/run-config.js";
import type { Dataset } from "../data/dataset.js";
import { evaluate } from "../evaluate/evaluate.js";
import { evaluationTypes } from "../evaluate/evaluation.js";
import { openGenerator } from "../generate/generator.js";
import { batchFeeds, countLabels, gradientGraph } from "../model/gradient.js";
import { type GradientSession, openGradients } from "../model/gradient-session.js";
import { isLoraParameter, mergeLora } from "../model/lora.js";
import type { SessionOptions } from "../runtime/session.js";
import type { HeldWeights } from "../runtime/weights.js";
import { inputLimit } from "../summarize/long-document.js";
import { createResidentSummarizer } from "../summarize/resident.js";
import type { EvaluationReport } from "./events.js";
import { type EncodedSplit, shapesOf, toBatch } from "./split.js";
import type { StartingPoint } from "./start.js";

export interface Evaluator {
  /** @param weights as the training graph takes them, adapters apart */
  run(
    weights: HeldWeights,
    signal?: AbortSignal,
  ): Promise<Omit<EvaluationReport, "step" | "epoch" | "isBest">>;
  close(): Promise<void>;
}

/** What a checkpoint is judged by; lower is better. */
export function judge(
  report: Pick<EvaluationReport, "loss" | "rouge">,
  metric: RunConfig["evaluate"]["metric"],
): number {
  return metric === "loss" ? report.loss : -(report.rouge?.[metric] ?? 0);
}

/** @throws TOKEN_BUDGET_TOO_SMALL where a row alone is over the budget */
export function createEvaluator(
  start: StartingPoint,
  run: RunConfig,
  rows: Dataset,
  split: EncodedSplit,
  session: SessionOptions,
): Evaluator {
  const { family, config, tokenizer, lora } = start;
  const graph = gradientGraph(family, config, {
    ...{ ...start.graph, learns: () => false, chunks: run.train.lossChunks },
  });
  const { shapes, shapeOf } = shapesOf(run.train, rows, split);
  const limit = Math.min(rows.rows, run.evaluate.maxRows);
  const writes = run.evaluate.generate ?? run.train.objective === "seq2seq";

  async function meanLoss(weights: HeldWeights, signal: AbortSignal | undefined): Promise<number> {
    const scorer: GradientSession = await openGradients(graph, weights, session);
    try {
      let [sum, count] = [0, 0];
      for (const [of, shape] of shapes.entries()) {
        const members = [...shapeOf.keys()].filter((row) => shapeOf[row] === of);
        for (let at = 0; at < members.length; at += shape.rows) {
          signal?.throwIfAborted();
          const examples = await split.encode(members.slice(at, at + shape.rows), 0);
          // Judged by what the decoder writes alone.
          const { encoderLabels: _, ...batch } = toBatch(examples, config.padTokenId);
          const labels = countLabels(batch);
          if (labels === 0) continue;
          const { loss } = await scorer.run(batchFeeds(config, batch, 1 / labels));
          sum += loss * labels;
          count += labels;
        }
      }
      return sum / Math.max(1, count);
    } finally {
      await scorer.close();
    }
  }

  async function scores(weights: HeldWeights, signal: AbortSignal | undefined) {
    const merged = lora === undefined ? weights : mergeLora(base(weights), weights, lora);
    const generator = await openGenerator(family, config, merged, session);
    try {
      const model = {
        config,
        generate: (...given: Parameters<typeof generator.generate>) => generator.generate(...given),
      };
      const summarizer = createResidentSummarizer(model, tokenizer, {
        name: "training",
        version: "",
        defaults: start.generation,
        traits: {
          kind: "neural",
          device: session.device ?? "cpu",
          dtype: "float32",
          limits: { maxInputTokens: inputLimit(model, tokenizer), maxNewTokens: null },
        },
      });
      const evaluation = await evaluate(summarizer, pairs(rows, limit), {
        concurrency: 1,
        samples: 1,
        ...(signal && { signal }),
      });
      const rouge = Object.fromEntries(
        evaluationTypes.map((type) => [type, evaluation.scores[type].fmeasure.mean]),
      ) as NonNullable<EvaluationReport["rouge"]>;
      return { rouge, genLen: evaluation.statistics.genLen };
    } finally {
      await generator.close();
    }
  }

  return {
    async run(weights, signal) {
      const loss = await meanLoss(weights, signal);
      return { loss, ...(writes && (await scores(weights, signal))) };
    },
    async close() {},
  };
}

/** The weights without adapters. */
export function base(weights: HeldWeights): HeldWeights {
  return new Map([...weights].filter(([name]) => !isLoraParameter(name)));
}

async function* pairs(rows: Dataset, limit: number) {
  for (let row = 0; row < limit; row++) {
    const [example] = await rows.read([row]);
    if (example === undefined) return;
    const { file, line } = rows.placeOf(row);
    const { document, references, id = row } = example;
    yield { document, references, id, file, line };
  }
}
