// The native routes' requests and answers: one schema each, for checking, for types and for the OpenAPI document.
import { z } from "@hono/zod-openapi";
import type { Service } from "../compose.js";
import { generateOptionsSchema } from "../config/generate-options.js";
import type { Summarizer } from "../summarize/summarizer.js";

/** Hugging Face's values for truncation, besides plain true and false. */
export const truncations = [
  "do_not_truncate",
  "longest_first",
  "only_first",
  "only_second",
] as const;

/** Far beyond any document, and exact in every JSON reader. */
export const largestCount = 1_000_000_000;
const count = z.int().min(1).max(largestCount);

const lengthShape = {
  sentences: count.optional().openapi({ description: "Number of sentences." }),
  ratio: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .openapi({ description: "Share of the document's sentences; not together with sentences." }),
  maxWords: count.optional().openapi({
    description: "At most so many words; whole sentences are kept.",
  }),
  truncation: z
    .union([z.boolean(), z.enum(truncations)])
    .optional()
    .openapi({
      description:
        "Whether text beyond what the model reads at once may be left unread; without it, long documents are read in parts. The extractive model reads everything either way.",
    }),
};

/** Parameters of requests, from the shape that a server's models take. */
function parametersOf<S extends typeof lengthShape>(shape: S) {
  return z
    .strictObject(shape)
    .refine(
      (parameters) => {
        const { sentences, ratio } = parameters as { sentences?: number; ratio?: number };
        return sentences === undefined || ratio === undefined;
      },
      { error: "sentences and ratio exclude each other", path: ["ratio"] },
    )
    .openapi("SummaryParameters", { not: { required: ["sentences", "ratio"] } });
}

/** How much a request may ask for. */
export interface RequestLimits {
  readonly maxBatchDocuments: number;
  readonly maxBeams: number;
}

/** What extractive models take. */
const ExtractiveParametersSchema = parametersOf(lengthShape);

/** What any model may take; `supportedParameters` says which of it applies. */
export function createParametersSchema({ maxBeams }: Pick<RequestLimits, "maxBeams">) {
  // A request is answered with one summary: no model served takes `numReturnSequences`.
  const { numBeams, numBeamGroups, numReturnSequences: _, ...others } = generateOptionsSchema.shape;
  const limited = (option: typeof numBeams) =>
    option
      .unwrap()
      .max(maxBeams)
      .describe(option.description ?? "")
      .optional();
  return parametersOf({
    ...lengthShape,
    ...others,
    numBeams: limited(numBeams),
    numBeamGroups: limited(numBeamGroups),
  });
}

export type ParametersSchema = ReturnType<typeof createParametersSchema>;
export type RequestedParameters = z.output<ParametersSchema>;

const documentText = z.string().openapi({
  description: "The text to summarize, with at least one letter or digit.",
  example:
    "The harbour was closed on Monday. A storm had damaged two piers. Ferries were sent to the next port.",
});

/** Whether a model writes its summaries token by token. */
export function isNeural({ traits }: Summarizer): boolean {
  return traits.kind === "neural";
}

/** The request schemas name the models that are loaded, so that they are made once per server. */
export function createRequestSchemas(
  { summarizers, followed }: Pick<Service, "summarizers" | "followed">,
  limits: RequestLimits,
) {
  // An alias has other spellings, and answers for the number at which it is.
  const isOpen = followed !== undefined && followed.size > 0;
  const also =
    " Of an alias any spelling does (news for news@champion), and the number of the version at which it is (news:7), which no other version answers.";
  const model = z
    .string()
    .optional()
    .openapi({
      description: `One of GET /v1/models; the first unless said.${isOpen ? also : ""}`,
      ...(!isOpen && { enum: [...summarizers.keys()] }),
    });
  // A server without a neural model documents no options that it would refuse.
  const neural = [...summarizers.values()].some(isNeural);
  const schema = neural ? createParametersSchema(limits) : ExtractiveParametersSchema;
  const parameters = (schema as ParametersSchema).optional();
  const document = documentText.openapi({ minLength: 1 });
  return {
    SummaryRequest: z
      .strictObject({
        document,
        model,
        parameters,
        stream: z
          .boolean()
          .optional()
          .openapi({ description: "Answer with server-sent events instead of one JSON object." }),
      })
      .openapi("SummaryRequest"),
    /** A line of a durable batch. */
    BatchLine: z.strictObject({
      document,
      id: z.string().min(1).max(200).optional().openapi({ description: "What you call it." }),
      parameters,
    }),
    BatchRequest: z
      .strictObject({
        documents: z
          .array(documentText)
          .min(1)
          .openapi({ description: `At most ${limits.maxBatchDocuments}; more are answered 413.` }),
        model,
        parameters,
      })
      .openapi("BatchRequest"),
  };
}

export type RequestSchemas = ReturnType<typeof createRequestSchemas>;

const Span = z
  .object({ start: z.int().min(0), end: z.int().min(0) })
  .openapi("Span", { description: "Half-open range of the document, in UTF-16 units." });

const Usage = z
  .object({
    inputTokens: z
      .int()
      .min(0)
      .openapi({ description: "Length of the document (extractive: words)." }),
    usedTokens: z.int().min(0).openapi({ description: "How much of it was read." }),
    outputTokens: z.int().min(0).openapi({ description: "Length of the summary." }),
    chunks: z.int().min(0).openapi({ description: "In how many parts it was read." }),
  })
  .openapi("Usage");

export const SummarySchema = z
  .object({
    id: z.string(),
    summary: z.string(),
    model: z.string(),
    version: z.string(),
    finishReason: z.enum(["stop", "length"]),
    truncated: z.boolean().openapi({
      description: "True only where the caller asked for truncation and text was left unread.",
    }),
    usage: Usage,
    sources: z
      .array(Span)
      .openapi({ description: "What the summary rests on, in document order." }),
    occupancy: z.number().optional().openapi({
      description:
        "Documents that shared a neural model's steps with it, itself included, on average.",
    }),
    cached: z.literal(true).optional().openapi({
      description:
        "There where nothing was computed: the same was asked for before, or at the same time.",
    }),
    timingsMs: z.record(z.string(), z.number()).openapi({
      description:
        "Milliseconds: `total`, and of a neural model `queue`, `encode` (reading), `decode` (writing), `generate` (from its turn to its end).",
    }),
  })
  .openapi("Summary");

/** One server-sent event; comment lines come between them. */
export const SummaryEventSchema = z
  .object({
    event: z.enum(["part", "token", "summary", "error"]),
    data: z.string().openapi({
      description:
        "JSON. part: {index, of, round, source?}, a part of a long document begins (round 0), or of its summaries (later rounds, whose tokens take the place of those before). token: {text}, which stays. summary: a Summary. error: a Problem.",
    }),
  })
  .openapi("SummaryEvent");

export const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().openapi({ description: "A row of docs/errors.md." }),
    hint: z.string().openapi({ description: "What to do next." }),
    requestId: z.string(),
    errors: z
      .array(z.object({ pointer: z.string(), detail: z.string() }))
      .optional()
      .openapi({ description: "Fields that are wrong, by JSON pointer." }),
  })
  .openapi("Problem");

export const BatchSchema = z
  .object({
    results: z
      .array(z.union([SummarySchema, z.object({ error: ProblemSchema })]))
      .openapi({ description: "A summary or an error for each document, in order." }),
  })
  .openapi("Batch");

const documentCount = z.int().min(0);
const time = z.string().openapi({ format: "date-time" });

export const DurableBatchSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    state: z.enum(["waiting", "running", "done", "cancelled"]),
    documents: z.object({
      total: documentCount,
      waiting: documentCount,
      done: documentCount,
      failed: documentCount.openapi({ description: "Those whose answer is an error." }),
      cancelled: documentCount,
    }),
    createdAt: time,
    beganAt: time.nullable(),
    endedAt: time.nullable(),
    resultsUrl: z.string(),
  })
  .openapi("DurableBatch");

export const BatchResultSchema = z
  .object({
    line: z.int().min(1).openapi({ description: "The line of the document, from 1." }),
    id: z.string().optional().openapi({ description: "What the caller calls it." }),
    result: SummarySchema.optional(),
    error: ProblemSchema.optional(),
  })
  .openapi("BatchResult", { description: "One line of the answer: a summary or an error." });

export const ExtractedDocumentSchema = z
  .object({
    text: z.string(),
    format: z.enum(["txt", "md", "html", "pdf", "docx"]),
    encoding: z.string().optional(),
    pages: z.int().optional(),
    title: z.string().optional(),
    warnings: z.array(z.string()),
    fileName: z.string(),
  })
  .openapi("ExtractedDocument");

const limit = (description: string) => z.int().nullable().openapi({ description });

/** A model as /info tells it to everybody. */
const ModelSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    isDefault: z.boolean(),
    kind: z.enum(["extractive", "neural"]),
    device: z.string().openapi({ description: "Where it runs: cpu, webgpu or cuda." }),
    dtype: z.string().nullable().openapi({
      description: "What its weights are held as; null for a model without weights.",
    }),
    limits: z.object({
      maxInputTokens: limit(
        "What it reads at once, in its own tokens; longer documents are read in parts. Null where there is no limit.",
      ),
      maxNewTokens: limit("The longest summary of a part, in its own tokens."),
    }),
    defaults: z
      .record(z.string(), z.unknown())
      .openapi({ description: "Parameters used where a request says nothing." }),
    digest: z.string().optional().openapi({ description: "Of a registered version: its package." }),
    licence: z
      .string()
      .nullable()
      .optional()
      .openapi({ description: "Of a registered version: its licence, null where none is stated." }),
    pending: z
      .object({ version: z.int(), code: z.string(), detail: z.string() })
      .optional()
      .openapi({
        description:
          "A version its alias points at that could not be opened; the one before answers.",
      }),
  })
  .openapi("Model");

export const ModelsSchema = z
  .object({
    models: z.array(
      ModelSchema.extend({
        parameters: z
          .array(z.string())
          .openapi({ description: "Names of the parameters it takes." }),
      }).openapi("ModelWithParameters"),
    ),
    registered: z
      .array(z.looseObject({ name: z.string(), lastVersion: z.int() }))
      .nullish()
      .openapi({
        description:
          "The registry's models with their aliases; null where it does not answer, absent where there is none and for callers who may not read it.",
      }),
    registeredRefused: ProblemSchema.optional().openapi({
      description: "Why the registry's models are not told; absent for callers who may read them.",
    }),
  })
  .openapi("Models");

export const InfoSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    models: z.array(ModelSchema),
    limits: z.object({
      maxBodyBytes: z.int(),
      maxBatchDocuments: z.int(),
      maxBatchLines: z.int(),
      maxBeams: z.int(),
      deadlineMs: z.int(),
      concurrency: z.int(),
      queueLimit: z.int(),
    }),
    process: z
      .object({
        startedAt: z.string(),
        node: z.string(),
        platform: z.string(),
        residentBytes: z.int(),
        active: z.int(),
        waiting: z.int(),
        bufferedBytes: z.int(),
        workers: z
          .array(
            z.object({
              place: z.int(),
              pid: z.int().optional(),
              status: z.enum(["starting", "ready", "waiting"]),
              pending: z.int(),
              restarts: z.int(),
            }),
          )
          .optional()
          .openapi({ description: "Working processes, where there are several." }),
      })
      .optional()
      .openapi({ description: "For operators only: keys with the scope read." }),
  })
  .openapi("Info");

/** A form with one file, as the routes that take one describe it. */
export const fileForm = {
  schema: z.object({
    file: z.string().openapi({
      format: "binary",
      minLength: 1,
      description: "A txt, md, html, pdf or docx file.",
    }),
  }),
  encoding: {
    file: {
      contentType:
        "text/plain, text/markdown, text/html, application/pdf, application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    },
  },
};

export const BertSchema = z
  .object({
    summary: z.string(),
    model: z.string(),
    version: z.string(),
    truncated: z.boolean(),
    usage: Usage,
    warnings: z.array(z.string()).optional(),
  })
  .openapi("BertSummary");

export const FastApiErrorSchema = z
  .object({
    detail: z.union([
      z.string(),
      z.array(
        z.object({
          type: z.string(),
          loc: z.array(z.union([z.string(), z.int()])),
          msg: z.string(),
          input: z.unknown(),
          ctx: z.record(z.string(), z.unknown()).optional(),
        }),
      ),
    ]),
  })
  .openapi("HTTPValidationError");

export const HuggingFaceErrorSchema = z
  .object({ error: z.string(), code: z.string(), requestId: z.string() })
  .openapi("HuggingFaceError");
