// RunConfig: what params.yaml says of a training run, with every default, unit and description in one schema.
import { z } from "zod";
import { generateOptionsSchema } from "./generate-options.js";
import { OptimizerOptions } from "./optimizer-options.js";
import { ScheduleOptions } from "./schedule-options.js";

const count = z.number().int().min(1);
const files = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);
const share = z.number().min(0).lt(1);

export const LoraOptions = z.strictObject({
  rank: count.default(8).describe("width of the small matrices"),
  alpha: z.number().positive().default(16).describe("weight of the adapter, over its rank"),
  rankStabilized: z.boolean().default(false).describe("divide alpha by the rank's root instead"),
  dropout: share.default(0).describe("share of a layer's input dropped on its way to the adapter"),
  targets: z
    .union([z.enum(["queries-and-values", "all-linear"]), z.array(z.string().min(1)).min(1)])
    .default("queries-and-values")
    .describe("layers that get one, by the last parts of their names, such as [q_proj, v_proj]"),
});

const ModelSection = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .optional()
      .describe("model to start from: a folder in Hugging Face layout, or a hub id"),
    config: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("keys of a config.json, for a model that starts from nothing"),
    tokenizer: z
      .string()
      .min(1)
      .optional()
      .describe("folder with the tokenizer of a model that starts from nothing"),
    lora: LoraOptions.nullable().default(null).describe("train adapters instead of the weights"),
    freeze: z
      .array(z.string().min(1))
      .default([])
      .describe("beginnings of the names of weights that stay as they are"),
    dropout: share.optional().describe("in place of the checkpoint's own"),
    attentionDropout: share.optional().describe("in place of the checkpoint's own"),
    activationDropout: share.optional().describe("in place of the checkpoint's own"),
  })
  .superRefine(({ name, config, tokenizer }, context) => {
    const fresh = config !== undefined && tokenizer !== undefined;
    if (
      (name !== undefined) === (config !== undefined || tokenizer !== undefined) ||
      !(name ?? fresh)
    ) {
      context.addIssue({
        code: "custom",
        path: ["name"],
        message: "give a model to start from, or config and tokenizer of a new one",
      });
    }
  });

const DataSection = z.strictObject({
  train: files.describe("files of rows to learn from"),
  validation: files.optional().describe("files of rows to evaluate on while training"),
  documentColumn: z.string().min(1).optional().describe("column of the documents"),
  summaryColumn: z.string().min(1).optional().describe("column of the summaries"),
  encoding: z
    .string()
    .min(1)
    .optional()
    .describe("encoding of files that are neither UTF-8 nor marked, such as windows-1252"),
  delimiter: z
    .string()
    .regex(/^[^"]$/, { error: "must be one character other than the quote" })
    .optional()
    .describe("what stands between the fields of CSV files; told by their first lines unless said"),
  onEmpty: z
    .enum(["error", "skip"])
    .default("error")
    .describe("what happens at a row without text: stop, or leave it out and count it"),
  maxSourceTokens: count.optional().describe("longest document read, in tokens; the model's reach"),
  maxTargetTokens: count.default(128).describe("longest summary learned, in tokens"),
  prefix: z
    .string()
    .optional()
    .describe("put before every document, and kept with the model; the model's own unless said"),
  maxTrainRows: count.optional().describe("at most so many rows, from the first"),
  maxValidationRows: count.optional().describe("at most so many rows, from the first"),
});

const TrainSection = z
  .strictObject({
    output: z.string().min(1).default("model").describe("folder the trained model is written to"),
    objective: z
      .enum(["seq2seq", "gap-sentences"])
      .default("seq2seq")
      .describe("learn summaries, or from documents alone to fill in their principal sentences"),
    gapSentences: z
      .strictObject({
        strategy: z
          .enum(["ind-orig", "ind-uniq", "seq-orig", "seq-uniq", "random", "lead"])
          .default("ind-orig")
          .describe("how sentences are chosen"),
        ratio: z.number().gt(0).lt(1).default(0.3).describe("share of the sentences chosen"),
        mode: z
          .enum(["google", "unicode"])
          .default("google")
          .describe("what sentences are compared by: words of a–z and 0–9, or of every script"),
        intact: z
          .number()
          .min(0)
          .max(1)
          .default(0)
          .describe("share of the chosen sentences that stay readable, 0.2 in PEGASUS-large"),
        maskedTokens: share
          .default(0)
          .describe(
            "share of the other words that are hidden and learned too, 0.15 in PEGASUS-base",
          ),
      })
      .prefault({}),
    epochs: z.number().positive().default(3).describe("passes over the rows"),
    maxSteps: count.optional().describe("optimizer steps; goes before epochs"),
    seed: z.number().int().min(0).default(0).describe("seed of order, dropout and new weights"),
    learningRate: z.number().positive().default(5e-5).describe("what the schedule starts from"),
    optimizer: OptimizerOptions.prefault({ name: "adamw" }),
    schedule: ScheduleOptions.prefault({}),
    maxGradNorm: z
      .number()
      .positive()
      .nullable()
      .default(1)
      .describe("gradients longer than this are shortened; null for none"),
    labelSmoothing: z.number().min(0).max(1).default(0).describe("share spread over all tokens"),
    microBatchTokens: count
      .default(4096)
      .describe("padded tokens of one run of the graph, document and summary together"),
    microBatchRows: count.default(64).describe("most rows of one run of the graph"),
    accumulate: count.default(1).describe("runs of the graph for each optimizer step"),
    accumulationMode: z
      .enum(["mean", "tokens"])
      .default("tokens")
      .describe("whether runs count the same, or by their label tokens"),
    averageDecay: z
      .number()
      .gt(0)
      .lt(1)
      .nullable()
      .default(null)
      .describe("keep a running average of the weights, and evaluate and export it"),
    recompute: z.boolean().default(false).describe("compute layers twice to save memory"),
    lossChunks: count.default(1).describe("parts the output layer is worked on in"),
    evaluateEvery: count.optional().describe("steps between evaluations; each epoch unless said"),
    checkpointEvery: count.optional().describe("steps between checkpoints; as evaluations"),
    keepCheckpoints: count.default(1).describe("how many of the latest checkpoints are kept"),
    patience: count
      .nullable()
      .default(null)
      .describe("stop after so many evaluations without a better one"),
    logEvery: count.default(10).describe("steps between lines of the log"),
    device: z.enum(["auto", "cpu", "webgpu", "cuda"]).default("auto"),
    threads: count.optional().describe("threads of one operator; the machine's unless said"),
  })
  .prefault({});

const EvaluateSection = z
  .strictObject({
    metric: z
      .enum(["loss", "rouge1", "rouge2", "rougeL", "rougeLsum"])
      .default("loss")
      .describe("what decides which checkpoint is the best one"),
    generate: z
      .boolean()
      .optional()
      .describe(
        "write summaries and score them, besides the loss; so it is where rows have summaries",
      ),
    maxRows: count.default(200).describe("at most so many rows are summarized"),
  })
  .prefault({});

export const RunConfig = z
  .strictObject({
    model: ModelSection,
    data: DataSection,
    train: TrainSection,
    evaluate: EvaluateSection,
    generate: generateOptionsSchema.prefault({}),
  })
  .superRefine(({ data, evaluate, train }, context) => {
    const refuse = (path: string[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    const hasSummaries = train.objective === "seq2seq";
    if (evaluate.generate === true && !hasSummaries) {
      refuse(["evaluate", "generate"], "needs rows with summaries, and gap-sentences reads none");
    }
    if (evaluate.metric !== "loss" && !(evaluate.generate ?? hasSummaries)) {
      refuse(["evaluate", "metric"], "needs evaluate.generate");
    }
    if (data.prefix && !hasSummaries) {
      refuse(["data", "prefix"], "does not apply to gap-sentences");
    }
    if (data.validation === undefined && train.patience !== null) {
      refuse(["train", "patience"], "needs data.validation");
    }
  });

/** A checked configuration with every default filled in. */
export type RunConfig = z.output<typeof RunConfig>;
export type RunConfigInput = z.input<typeof RunConfig>;
