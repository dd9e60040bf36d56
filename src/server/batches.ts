// /v1/batches: documents as JSON Lines that are kept, worked through and answered one by one, whatever happens meanwhile.
import { setImmediate as letOthersRun } from "node:timers/promises";
import { z } from "@hono/zod-openapi";
import { getLasting } from "../compose.js";
import { BridleError, type ErrorData, fromErrorData, toBridleError } from "../errors/error.js";
import type { Batch, BatchAnswer, BatchInput } from "../summarize/batches/batch-store.js";
import type { Batches } from "../summarize/batches/batches.js";
import type { Summarizer } from "../summarize/summarizer.js";
import { grants } from "./api-keys.js";
import type { RequestContext, ServerContext } from "./context.js";
import { toProblem } from "./error-answer.js";
import {
  checkFields,
  type FieldProblem,
  FieldProblems,
  parameterProblems,
} from "./field-problems.js";
import { mediaType, parseJson, readBytes, refuseContentEncoding } from "./request-body.js";
import { ownSummarizeAccess, problemResponses, type RouteTable, readErrors } from "./routes.js";
import {
  BatchResultSchema,
  createRequestSchemas,
  DurableBatchSchema,
  type RequestSchemas,
} from "./schemas.js";
import { streamBody } from "./streamed-body.js";
import { checkParameterNames, isRecord, toSummaryParameters } from "./summary-request.js";

const linesType = "application/x-ndjson";
const isLines = /^application\/(x-)?(ndjson|jsonl|jsonlines|json-lines|jsonlines\+json)$/;

const params = z.object({
  batch: z.string().openapi({ description: "A batch's id.", example: "batch_0b2d…" }),
});
const CreateQuery = z.strictObject({
  model: z
    .string()
    .optional()
    .openapi({ description: "One of GET /v1/models; the first unless said." }),
});
const ListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100).openapi({
    description: "At most so many, the newest first.",
  }),
});
const ResultsQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).openapi({
    description: "Only lines after this one, as to go on where an answer was cut off.",
  }),
});
const NoQuery = z.strictObject({});
const batchAnswer = (description: string) => ({
  description,
  content: { "application/json": { schema: DurableBatchSchema } },
});

export function batchRoutes(server: ServerContext): RouteTable {
  const schemas = createRequestSchemas(server.service, server.config);
  const { maxBatchLines } = server.config;
  return [
    {
      method: "POST",
      path: "/v1/batches",
      access: ownSummarizeAccess,
      handle: (c) => postBatch(server, c, schemas),
      describe: {
        operationId: "createDurableBatch",
        tags: ["Batches"],
        summary: "Keep documents and summarize them whatever happens meanwhile",
        description: `The body is JSON Lines, at most ${maxBatchLines} of them: \`{"document": "…", "id": "a1", "parameters": {}}\` each, with an id of your own and parameters where you like. It is on disk when this answers. A line that cannot be used refuses the whole batch, by its number.`,
        request: {
          query: CreateQuery,
          body: {
            required: true,
            content: { [linesType]: { schema: schemas.BatchLine } },
          },
        },
        responses: { 202: batchAnswer("It is kept, and waits for its turn."), ...problemResponses },
      },
    },
    {
      method: "GET",
      path: "/v1/batches",
      access: ownSummarizeAccess,
      handle: (c) => listAll(server, c),
      describe: {
        operationId: "listDurableBatches",
        tags: ["Batches"],
        summary: "Batches sent with this key",
        request: { query: ListQuery },
        responses: {
          200: {
            description: "The newest first. A key with the scope admin sees those of all keys.",
            content: {
              "application/json": { schema: z.object({ batches: z.array(DurableBatchSchema) }) },
            },
          },
          ...readErrors,
        },
      },
    },
    {
      method: "GET",
      path: "/v1/batches/:batch",
      access: ownSummarizeAccess,
      handle: async (c) => {
        checkFields(NoQuery, c.req.query());
        return Response.json(toAnswer((await batchOf(server, c)).batch));
      },
      describe: {
        documentedPath: "/v1/batches/{batch}",
        operationId: "getDurableBatch",
        tags: ["Batches"],
        summary: "How far a batch is",
        request: { params },
        responses: { 200: batchAnswer("The batch."), ...problemResponses },
      },
    },
    {
      method: "GET",
      path: "/v1/batches/:batch/results",
      access: ownSummarizeAccess,
      handle: (c) => sendResults(server, c),
      describe: {
        documentedPath: "/v1/batches/{batch}/results",
        operationId: "getDurableBatchResults",
        tags: ["Batches"],
        summary: "Answers, a line each, in the order of the documents",
        description:
          "Of a batch that is running: those that are there. Once it is over there is one summary or one error for each document.",
        request: { params, query: ResultsQuery },
        responses: {
          200: {
            description: "JSON Lines.",
            content: { [linesType]: { schema: BatchResultSchema } },
          },
          ...problemResponses,
        },
      },
    },
    {
      method: "POST",
      path: "/v1/batches/:batch/cancel",
      access: ownSummarizeAccess,
      handle: async (c) => {
        const { batches, batch, owner } = await batchOf(server, c);
        return Response.json(toAnswer(await batches.cancel(batch.id, owner)));
      },
      describe: {
        documentedPath: "/v1/batches/{batch}/cancel",
        operationId: "cancelDurableBatch",
        tags: ["Batches"],
        summary: "End a batch as it is",
        description:
          "Answers that are there stay; every other document gets the error BATCH_CANCELLED. A batch that is over stays what it was.",
        request: { params },
        responses: { 200: batchAnswer("The batch as it is now."), ...problemResponses },
      },
    },
  ];
}

const timeOf = (at: number | null) => (at === null ? null : new Date(at).toISOString());

function toAnswer({ id, model, state, documents, ...batch }: Batch) {
  return {
    ...{ id, model, state, documents },
    createdAt: timeOf(batch.createdAtMs),
    beganAt: timeOf(batch.beganAtMs),
    endedAt: timeOf(batch.endedAtMs),
    resultsUrl: `/v1/batches/${id}/results`,
  };
}

/** Whose batches a caller's are: the key's for good, not its name's or its place's, which may be another's tomorrow. */
const ownerOf = (c: RequestContext) => c.var.scope.key?.id ?? "";

/** Whose batches a caller may see; undefined for all. */
function visibleTo({ keys }: ServerContext, c: RequestContext): string | undefined {
  const { key } = c.var.scope;
  if (keys.size === 0) return undefined;
  return key !== undefined && grants(key.scopes, "admin") ? undefined : ownerOf(c);
}

/** @throws BATCH_NOT_FOUND */
async function batchOf(
  server: ServerContext,
  c: RequestContext,
): Promise<{ batches: Batches; batch: Batch; owner: string | undefined }> {
  const id = c.req.param("batch") ?? "";
  const owner = visibleTo(server, c);
  const batches = await server.service.batches?.find();
  if (batches === undefined) throw new BridleError("BATCH_NOT_FOUND", { id: id.slice(0, 100) });
  return { batches, batch: await batches.get(id, owner), owner };
}

async function postBatch(
  server: ServerContext,
  c: RequestContext,
  { BatchLine }: RequestSchemas,
): Promise<Response> {
  if (server.lifecycle.closed) throw new BridleError("SHUTTING_DOWN");
  const { incoming } = c.env;
  const type = mediaType(incoming);
  if (type === undefined || !isLines.test(type)) {
    throw new BridleError("MEDIA_TYPE_UNSUPPORTED", {
      ...{ mediaType: type ?? "nothing", expected: linesType },
    });
  }
  refuseContentEncoding(incoming);
  const { model: asked } = checkFields(CreateQuery, c.req.query());
  const { summarizer, key: model } = getLasting(server.service, asked);
  const limit = server.config.maxBatchLines;
  const documents = await readLines(await readBytes(server, c), limit, (value) => {
    if (isRecord(value) && isRecord(value.parameters))
      checkParameterNames(summarizer, Object.keys(value.parameters));
    return toInput(checkFields(BatchLine, value), summarizer);
  });
  const { batches } = server.service;
  if (batches === undefined) throw new BridleError("BUG", { reason: "no batches are kept here" });
  const owner = ownerOf(c);
  const created = await (await batches.open()).create({ model, owner, documents });
  return Response.json(toAnswer(created), {
    status: 202,
    headers: { location: `/v1/batches/${created.id}` },
  });
}

function toInput(
  { document, id, parameters }: z.output<RequestSchemas["BatchLine"]>,
  summarizer: Summarizer,
): Omit<BatchInput, "line"> {
  return { document, ownId: id ?? null, parameters: toSummaryParameters(summarizer, parameters) };
}

const lineFeed = 10;
/** Lines that are read before others have a turn. */
const linesTogether = 200;
/** Lines told of; one who sends a wrong file need not be told of every line of it. */
const mostProblems = 100;
const shownProblems = 5;

/**
 * The documents of JSON Lines; blank lines are none.
 * @throws BATCH_LINES_INVALID with every line that cannot be used, up to a hundred; BATCH_TOO_LARGE, BODY_MISSING
 */
async function readLines(
  bytes: Buffer,
  limit: number,
  check: (value: unknown) => Omit<BatchInput, "line">,
): Promise<BatchInput[]> {
  const documents: BatchInput[] = [];
  const lineOfId = new Map<string, number>();
  const problems: { line: number; of: readonly FieldProblem[] }[] = [];
  let line = 0;
  for (let start = 0; start < bytes.length && problems.length < mostProblems; ) {
    line++;
    const end = bytes.indexOf(lineFeed, start);
    const text = bytes.subarray(start, end === -1 ? bytes.length : end);
    start = end === -1 ? bytes.length : end + 1;
    if (line % linesTogether === 0) await letOthersRun();
    if (isBlank(text)) continue;
    if (documents.length >= limit)
      throw new BridleError("BATCH_TOO_LARGE", { count: `more than ${limit}`, limit });
    try {
      const input = check(parseJson(text));
      if (input.ownId !== null) {
        const other = lineOfId.get(input.ownId);
        if (other !== undefined)
          throw new FieldProblems([{ pointer: "#/id", detail: `is that of line ${other} too` }]);
        lineOfId.set(input.ownId, line);
      }
      documents.push({ line, ...input });
    } catch (thrown) {
      problems.push({ line, of: problemsOf(thrown) });
    }
  }
  if (problems.length > 0) throw linesInvalid(problems);
  if (documents.length === 0)
    throw new BridleError("BODY_MISSING", { expected: "a JSON object on each line" });
  return documents;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

function problemsOf(thrown: unknown): readonly FieldProblem[] {
  if (thrown instanceof FieldProblems) return thrown.problems;
  const error = toBridleError(thrown);
  if (error.kind === "bug") throw error;
  if (error.cause instanceof FieldProblems) return error.cause.problems;
  const fields = parameterProblems(error);
  return fields.length > 0 ? fields : [{ pointer: "#", detail: error.message }];
}

function linesInvalid(
  problems: readonly { readonly line: number; readonly of: readonly FieldProblem[] }[],
): BridleError {
  const all = problems.flatMap(({ line, of }) =>
    of.map(({ pointer, detail }) => ({ line, pointer, detail })),
  );
  const told = all.slice(0, shownProblems).map(({ line, pointer, detail }) => {
    const field = pointer === "#" ? "" : `${pointer.slice(2)} `;
    return `line ${line}: ${field}${detail}`;
  });
  const more = all.length > shownProblems ? [`and ${all.length - shownProblems} more`] : [];
  const fields = all
    .slice(0, mostProblems)
    .map(({ line, pointer, detail }) => ({ pointer, detail: `line ${line}: ${detail}` }));
  return new BridleError(
    "BATCH_LINES_INVALID",
    { count: problems.length, problems: [...told, ...more].join("; ").replace(/([^.])$/, "$1.") },
    { cause: new FieldProblems(fields) },
  );
}

async function listAll(server: ServerContext, c: RequestContext): Promise<Response> {
  const { limit } = checkFields(ListQuery, c.req.query());
  const batches = await server.service.batches?.find();
  const found = (await batches?.list({ owner: visibleTo(server, c), limit })) ?? [];
  return Response.json({ batches: found.map(toAnswer) });
}

/** Answers read at once while they are sent. */
const answersTogether = 200;

async function sendResults(server: ServerContext, c: RequestContext): Promise<Response> {
  const { after } = checkFields(ResultsQuery, c.req.query());
  const { batches, batch } = await batchOf(server, c);
  // The first are read before the answer begins, so that what goes wrong is told as an error.
  const first = await batches.answers(batch.id, after, answersTogether);
  async function* read(): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder();
    let some: readonly BatchAnswer[] = first;
    for (let last = some.at(-1); last !== undefined; last = some.at(-1)) {
      const lines = some.map((each) => `${JSON.stringify(resultOf(each, c.var.scope.id))}\n`);
      yield encoder.encode(lines.join(""));
      some = await batches.answers(batch.id, last.line, answersTogether);
    }
  }
  return new Response(streamBody(server, c, read()), { headers: { "content-type": linesType } });
}

function resultOf({ line, ownId, state, answer }: BatchAnswer, requestId: string): object {
  const named = { line, ...(ownId !== null && { id: ownId }) };
  if (state === "done" && answer !== null) return { ...named, result: JSON.parse(answer) };
  const error =
    state === "failed" && answer !== null
      ? fromErrorData(JSON.parse(answer) as ErrorData)
      : new BridleError("BATCH_CANCELLED");
  return { ...named, error: toProblem(error, requestId) };
}
