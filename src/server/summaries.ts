// POST /v1/summaries and POST /v1/summaries:batch: the native routes.
import { setMaxListeners } from "node:events";
import { setImmediate as letOthersRun } from "node:timers/promises";
import { getSummarizer } from "../compose.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { pileWidth } from "../summarize/default-concurrency.js";
import type { Measure } from "./admission.js";
import type { RequestContext, ServerContext } from "./context.js";
import { toProblem } from "./error-answer.js";
import { checkFields } from "./field-problems.js";
import { readJson } from "./request-body.js";
import { problemResponses, type RouteTable, summarizeAccess } from "./routes.js";
import {
  BatchSchema,
  createRequestSchemas,
  type RequestSchemas,
  SummaryEventSchema,
  SummarySchema,
} from "./schemas.js";
import { checkModelAndNames, isRecord, toSummaryParameters } from "./summary-request.js";
import { answerStream } from "./summary-stream.js";
import {
  checkOpenForWork,
  findKept,
  summarize,
  summarizeInTurn,
  withId,
  withTurnForPile,
} from "./work.js";

export function summaryRoutes(server: ServerContext): RouteTable {
  const schemas = createRequestSchemas(server.service, server.config);
  return [
    {
      method: "POST",
      path: "/v1/summaries",
      access: summarizeAccess,
      handle: (c) => postSummary(server, c, schemas),
      describe: {
        operationId: "createSummary",
        tags: ["Summaries"],
        summary: "Summarize one document",
        description:
          "With `stream: true` the answer is a stream of server-sent events: `part {index, of}`, `token {text}`, `summary {…}` and, where it fails midway, `error {problem}`; comment lines keep it open.",
        request: {
          body: {
            required: true,
            content: { "application/json": { schema: schemas.SummaryRequest } },
          },
        },
        responses: {
          200: {
            description: "The summary.",
            content: {
              "application/json": { schema: SummarySchema },
              "text/event-stream": { schema: SummaryEventSchema },
            },
          },
          ...problemResponses,
        },
      },
    },
    {
      method: "POST",
      path: "/v1/summaries:batch",
      access: summarizeAccess,
      handle: (c) => postBatch(server, c, schemas),
      describe: {
        operationId: "createSummaries",
        tags: ["Summaries"],
        summary: "Summarize several documents",
        request: {
          body: {
            required: true,
            content: { "application/json": { schema: schemas.BatchRequest } },
          },
        },
        responses: {
          200: {
            description: "One result or one error for each document, in order.",
            content: { "application/json": { schema: BatchSchema } },
          },
          ...problemResponses,
        },
      },
    },
  ];
}

async function postSummary(
  server: ServerContext,
  c: RequestContext,
  { SummaryRequest }: RequestSchemas,
): Promise<Response> {
  checkOpenForWork(server);
  const body = await readJson(server, c);
  checkModelAndNames(server, body);
  const { document, model, parameters, stream } = checkFields(SummaryRequest, body);
  const told = toSummaryParameters(getSummarizer(server.service, model), parameters);
  const work = { document, model, parameters: told };
  if (stream) return await answerStream(server, c, work);
  const { scope } = c.var;
  return Response.json(withId(await summarizeInTurn(server, scope, work)));
}

async function postBatch(
  server: ServerContext,
  c: RequestContext,
  { BatchRequest }: RequestSchemas,
): Promise<Response> {
  checkOpenForWork(server, "batch");
  const body = await readJson(server, c);
  checkModelAndNames(server, body);
  checkBatchSize(body, server.config.maxBatchDocuments);
  const { documents, model, parameters } = checkFields(BatchRequest, body);
  const { scope } = c.var;
  const summarizer = getSummarizer(server.service, model);
  const told = toSummaryParameters(summarizer, parameters);
  const one = async (document: string, measure: Measure): Promise<object> => {
    const work = { document, model, parameters: told, priority: "batch" } as const;
    try {
      return withId(
        // What is kept takes no time, of which nothing is to be learned.
        findKept(server, scope, work) ?? (await measure(() => summarize(server, scope, work))),
      );
    } catch (thrown) {
      // A whole batch ends when its time is over or its caller has gone; a document's own fault is its own.
      if (scope.signal.aborted) throw thrown;
      return { error: toProblem(toBridleError(thrown), scope.id) };
    }
  };
  // Every document in work listens.
  setMaxListeners(0, scope.signal);
  const results = await withTurnForPile(server, scope, documents.length, (measure) =>
    inOrder(documents, pileWidth(summarizer, told), (document) => one(document, measure)),
  );
  return Response.json({ results });
}

/** Before the fields are checked one by one, of which there could be millions. @throws BATCH_TOO_LARGE */
function checkBatchSize(body: unknown, limit: number): void {
  const documents = isRecord(body) ? body.documents : undefined;
  if (!Array.isArray(documents) || documents.length <= limit) return;
  throw new BridleError("BATCH_TOO_LARGE", { count: documents.length, limit });
}

/** Results in the order of the items, `width` of which are in work at once. */
async function inOrder<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index] as T);
      await letOthersRun();
    }
  };
  // All lanes end before the first failure is told, so that the turn lasts as long as the work.
  const lanes = Array.from({ length: Math.min(width, items.length) }, lane);
  const settled = await Promise.allSettled(lanes);
  const failed = settled.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results;
}
