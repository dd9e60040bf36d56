// POST /models/NAME: Hugging Face's summarization task, so that its own client works unchanged.
// Source: huggingface.js packages/tasks, summarization/spec; @huggingface/inference 4.13.
import { z } from "@hono/zod-openapi";
import { getSummarizer, isServed } from "../compose.js";
import { BridleError } from "../errors/error.js";
import type { Summarizer, SummaryParameters } from "../summarize/summarizer.js";
import type { RequestContext, ServerContext } from "./context.js";
import { checkFields } from "./field-problems.js";
import { readJson } from "./request-body.js";
import { huggingFaceResponses, type RouteTable, summarizeAccess } from "./routes.js";
import {
  createParametersSchema,
  isNeural,
  largestCount,
  type ParametersSchema,
  truncations,
} from "./schemas.js";
import { checkParameterNames, checkParameters } from "./summary-request.js";
import { checkOpenForWork, summarizeInTurn } from "./work.js";

const prefix = "/models/";

const documentedCount = {
  type: ["integer" as const, "null" as const],
  minimum: 1,
  maximum: largestCount,
};

const documentedLengths = { sentences: documentedCount, max_words: documentedCount };

/**
 * Members this service does not know are passed over, as the hub's own API does.
 * @param neural whether the description leaves room for generation options; which of them apply is the model's to say
 */
const createRequestSchema = (neural: boolean) =>
  z
    .object({
      inputs: z.string().openapi({
        description: "The text to summarize, with at least one letter or digit.",
        minLength: 1,
      }),
      parameters: z
        .looseObject({
          truncation: z.enum(truncations).nullish(),
          clean_up_tokenization_spaces: z.boolean().nullish(),
          generate_parameters: z.record(z.string(), z.unknown()).nullish().openapi({
            description:
              "What the model takes, in snake or camel case: GET /v1/models lists its parameters.",
            properties: documentedLengths,
            additionalProperties: neural,
          }),
        })
        .nullish()
        .openapi({ additionalProperties: false }),
    })
    .openapi("HuggingFaceSummarization");

/** How requests are read on this server. */
interface RequestReading {
  readonly body: ReturnType<typeof createRequestSchema>;
  readonly parameters: ParametersSchema;
}

const HuggingFaceSummary = z
  .array(
    z.object({
      summary_text: z.string(),
      model: z.string(),
      version: z.string(),
      truncated: z.boolean(),
      usage: z.record(z.string(), z.int()),
    }),
  )
  .openapi("HuggingFaceSummary");

export function huggingFaceRoutes(server: ServerContext): RouteTable {
  const neural = [...server.service.summarizers.values()].some(isNeural);
  const reading: RequestReading = {
    body: createRequestSchema(neural),
    parameters: createParametersSchema(server.config),
  };
  return [
    {
      method: "POST",
      path: `${prefix}*`,
      access: summarizeAccess,
      handle: (c) => postModel(server, c, reading),
      describe: {
        documentedPath: `${prefix}{model}`,
        operationId: "summarizeWithModel",
        tags: ["Hugging Face"],
        summary: "Hugging Face's summarization task",
        description:
          "The model's name may hold slashes. Errors are `{error}`; never 503, which the client repeats without end.",
        request: {
          params: z.object({
            model: z.string().openapi({ description: "Name of a model.", example: "extractive" }),
          }),
          body: { required: true, content: { "application/json": { schema: reading.body } } },
        },
        responses: {
          200: {
            description: "A list with one summary.",
            content: { "application/json": { schema: HuggingFaceSummary } },
          },
          ...huggingFaceResponses,
        },
      },
    },
  ];
}

async function postModel(
  server: ServerContext,
  c: RequestContext,
  reading: RequestReading,
): Promise<Response> {
  checkOpenForWork(server);
  const name = servedName(server, decodeName(c.req.path.slice(prefix.length)));
  const summarizer = getSummarizer(server.service, name);
  const { inputs, parameters } = checkFields(reading.body, await readJson(server, c));
  const work = {
    document: inputs,
    model: name,
    parameters: readParameters(summarizer, reading.parameters, parameters),
  };
  const { scope } = c.var;
  const result = await summarizeInTurn(server, scope, work);
  const { summary, model, version, truncated, usage } = result;
  return Response.json([{ summary_text: summary, model, version, truncated, usage }]);
}

/** Clients leave a dot out of a path before they send it: the folder `./news` is asked for as `news`. */
function servedName({ service }: ServerContext, asked: string): string {
  const folder = `./${asked}`;
  return service.summarizers.has(folder) && !isServed(service, asked) ? folder : asked;
}

/** The rest of a path as a name, with escapes such as %2F undone. */
export function decodeName(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/**
 * Takes length parameters from `parameters` or `parameters.generate_parameters`, in snake or camel case; null counts
 * as unsaid. Cleaning up spaces is the tokenizer's to say; truncation applies to models with a reach to cut at.
 * @throws PARAMETER_NOT_SUPPORTED, FIELDS_INVALID
 */
function readParameters(
  summarizer: Summarizer,
  schema: ParametersSchema,
  requested: z.output<RequestReading["body"]>["parameters"],
): SummaryParameters {
  if (!requested) return {};
  const {
    truncation,
    clean_up_tokenization_spaces: _cleanUp,
    generate_parameters: generation,
    ...direct
  } = requested;
  const named = new Map<string, unknown>();
  for (const [name, value] of Object.entries({ ...generation, ...direct })) {
    const camel = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const supported = summarizer.supportedParameters.includes(camel);
    // The hub's types allow null for what is not said.
    if (!supported || value !== null) named.set(supported ? camel : name, value);
  }
  try {
    checkParameterNames(summarizer, [...named.keys()]);
  } catch (thrown) {
    throw withTheirName(thrown);
  }
  if (truncation != null) named.set("truncation", truncation);
  return checkParameters(summarizer, schema, Object.fromEntries(named));
}

/** Names of Hugging Face's are refused with a pointer to what this service takes instead. */
function withTheirName(thrown: unknown): unknown {
  if (!(thrown instanceof BridleError) || thrown.code !== "PARAMETER_NOT_SUPPORTED") return thrown;
  const { parameter, model, supported } = thrown.details;
  return new BridleError("PARAMETER_NOT_SUPPORTED", {
    parameter,
    model,
    supported: `${supported} (in parameters or parameters.generate_parameters)`,
  });
}
