// POST /v1/summaries:align: where in a document the words of a summary stand, whoever wrote it.
import { z } from "@hono/zod-openapi";
import { BridleError } from "../errors/error.js";
import { alignSummary } from "../text/alignment.js";
import { type Admission, createAdmission } from "./admission.js";
import type { RequestContext, ServerContext } from "./context.js";
import { checkFields } from "./field-problems.js";
import { readJson } from "./request-body.js";
import { withinScope } from "./request-scope.js";
import { problemResponses, type RouteTable, summarizeAccess } from "./routes.js";

const AlignmentRequest = z
  .strictObject({
    document: z.string().openapi({ description: "The text that was summarized." }),
    summary: z.string().openapi({ description: "Its summary, by whomever." }),
  })
  .openapi("AlignmentRequest");

const place = { start: z.int().min(0), end: z.int().min(0) };

const AlignmentSchema = z
  .object({
    method: z.literal("rouge-overlap").openapi({
      description: "By shared words: it does not tell what a model looked at.",
    }),
    sentences: z
      .array(
        z.object({
          ...place,
          sources: z
            .array(
              z.object({
                ...place,
                score: z.number().openapi({
                  description: "Mean of ROUGE-1 and ROUGE-2 F1 against the summary's sentence.",
                }),
              }),
            )
            .openapi({
              description:
                "Up to three sentences of the document, in its order, in UTF-16 units; none where too little is shared.",
            }),
        }),
      )
      .openapi({ description: "The summary's sentences, with their places in it." }),
  })
  .openapi("Alignment");

/** They take turns on one thread; more at once would only make each of them, and everybody else, wait longer. */
const atOnce = 4;

export function alignmentRoutes(server: ServerContext): RouteTable {
  // Not in the line for models, whose times it would make look shorter.
  const line = createAdmission({ ...server.config, concurrency: atOnce });
  return [
    {
      method: "POST",
      path: "/v1/summaries:align",
      access: summarizeAccess,
      handle: (c) => postAlignment(server, line, c),
      describe: {
        operationId: "alignSummary",
        tags: ["Summaries"],
        summary: "Find the sentences of a document that a summary's most likely come from",
        request: {
          body: {
            required: true,
            content: { "application/json": { schema: AlignmentRequest } },
          },
        },
        responses: {
          200: {
            description: "Each sentence of the summary with its sources.",
            content: { "application/json": { schema: AlignmentSchema } },
          },
          ...problemResponses,
        },
      },
    },
  ];
}

async function postAlignment(
  server: ServerContext,
  line: Admission,
  c: RequestContext,
): Promise<Response> {
  if (server.lifecycle.closed) throw new BridleError("SHUTTING_DOWN");
  line.checkRoom();
  const { document, summary } = checkFields(AlignmentRequest, await readJson(server, c));
  const { scope } = c.var;
  const leftMs = scope.startedAt + scope.timeoutMs - performance.now();
  const align = () => alignSummary(document, summary, scope.signal);
  const sentences = await withinScope(scope, line.run(scope.signal, align, leftMs));
  return Response.json({ method: "rouge-overlap", sentences });
}
