// Runs over HTTP, to be read: lists, one with its files, charts and lines, and what is new of them as events.
import { z } from "@hono/zod-openapi";
import { BridleError } from "../errors/error.js";
import { readCharts } from "../track/charts.js";
import { followRun, followRuns, type RunNews } from "../track/follow.js";
import {
  getRun,
  listArtifacts,
  listExperiments,
  listRuns,
  readLines,
  type TrackedRun,
} from "../track/read.js";
import type { RunRecords } from "../track/records.js";
import type { RequestContext, ServerContext } from "./context.js";
import { answerNews, type ServerEvent } from "./event-stream.js";
import { checkFields } from "./field-problems.js";
import { decodeName } from "./huggingface.js";
import {
  findErrors,
  operatorAccess,
  type Route,
  type RouteDescription,
  type RouteTable,
} from "./routes.js";
import {
  ChartsQuery,
  ChartsSchema,
  ComparedRunsSchema,
  CompareQuery,
  ExperimentsSchema,
  LinesQuery,
  NoQuery,
  RunDetailsSchema,
  RunLinesSchema,
  RunsQuery,
  RunsSchema,
} from "./run-schemas.js";
import { streamBody } from "./streamed-body.js";

const params = z.object({
  run: z.string().openapi({
    description: "A run's id, the beginning of it, or its name.",
    example: "k3m9x2ab",
  }),
});

interface Described<Query extends z.ZodObject> {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly query: Query;
  readonly answer: z.ZodType;
}

export function runRoutes(server: ServerContext): RouteTable {
  const read = <Query extends z.ZodObject>(
    path: string,
    { operationId, summary, description, query, answer }: Described<Query>,
    handle: (c: RequestContext, asked: z.output<Query>) => Promise<object>,
  ): Route => ({
    method: "GET",
    path,
    access: operatorAccess,
    handle: async (c) => {
      return Response.json(await handle(c, checkQuery(query, c)));
    },
    describe: describeRead(path, {
      ...{ operationId, summary, query },
      ...(description && { description }),
      content: { "application/json": { schema: answer } },
    }),
  });
  const follow = (
    path: string,
    { operationId, summary, description }: Omit<Described<z.ZodObject>, "query" | "answer">,
    begin: (c: RequestContext) => Promise<() => Promise<readonly ServerEvent[]>>,
  ): Route => ({
    method: "GET",
    path,
    access: operatorAccess,
    handle: async (c) => {
      checkQuery(NoQuery, c);
      return await answerNews(server, c, await begin(c));
    },
    describe: describeRead(path, {
      ...{ operationId, summary, query: NoQuery },
      ...(description && { description }),
      content: { "text/event-stream": { schema: z.string() } },
    }),
  });
  const recordsOf = async () => await server.service.runs?.();
  return [
    read(
      "/v1/experiments",
      {
        operationId: "listExperiments",
        summary: "List the experiments",
        ...{ query: NoQuery, answer: ExperimentsSchema },
      },
      async () => {
        const records = await recordsOf();
        return {
          experiments: records === undefined ? [] : await listExperiments(records.database),
        };
      },
    ),
    read(
      "/v1/runs",
      {
        operationId: "listRuns",
        summary: "List runs",
        ...{ query: RunsQuery, answer: RunsSchema },
      },
      async (_, { filter, sort, limit, offset }) => {
        const records = await recordsOf();
        if (records === undefined) return { runs: [], total: 0 };
        return await listRuns(records.database, {
          ...(filter && { filters: filter }),
          ...(sort !== undefined && { sort }),
          ...(limit !== undefined && { limit }),
          ...(offset !== undefined && { offset }),
        });
      },
    ),
    follow(
      "/v1/runs/events",
      {
        operationId: "followRuns",
        summary: "Hear of runs as they begin, go on and end",
        description: "Events `run`, each a Run; what changed in the last minute comes first.",
      },
      async () => {
        let look: (() => Promise<readonly TrackedRun[]>) | undefined;
        return async () => {
          // The first run may not have begun yet.
          const records = await recordsOf();
          if (records === undefined) return [];
          look ??= followRuns(records.database);
          return (await look()).map((data) => ({ name: "run", data }));
        };
      },
    ),
    read(
      "/v1/runs/compare",
      {
        operationId: "compareRuns",
        summary: "Some runs beside each other",
        ...{ query: CompareQuery, answer: ComparedRunsSchema },
      },
      async (_, { id: ids }) => {
        const runs = [];
        for (const id of ids) runs.push((await findRun(server, id)).run);
        return { runs };
      },
    ),
    read(
      "/v1/runs/:run",
      {
        operationId: "getRun",
        summary: "One run with its files",
        ...{ query: NoQuery, answer: RunDetailsSchema },
      },
      async (c) => {
        const { records, run } = await findRun(server, nameIn(c));
        const kept = await listArtifacts(records.database, run.id);
        return { run, artifacts: kept.map(({ blob: _, ...artifact }) => artifact) };
      },
    ),
    read(
      "/v1/runs/:run/metrics",
      {
        operationId: "readCharts",
        summary: "A run's metrics as curves",
        description:
          "All points where there are few, else gathered so that least and greatest values are kept.",
        ...{ query: ChartsQuery, answer: ChartsSchema },
      },
      async (c, { keys, points, fromStep, toStep }) => {
        const { records, run } = await findRun(server, nameIn(c));
        const charts = await readCharts(records.database, {
          runIds: [run.id],
          ...(keys && { keys }),
          ...(points !== undefined && { points }),
          ...(fromStep !== undefined && { fromStep }),
          ...(toStep !== undefined && { toStep }),
        });
        return { charts };
      },
    ),
    read(
      "/v1/runs/:run/logs",
      {
        operationId: "readRunLines",
        summary: "A run's lines",
        ...{ query: LinesQuery, answer: RunLinesSchema },
      },
      async (c, { after, limit }) => {
        const { records, run } = await findRun(server, nameIn(c));
        const lines = await readLines(records.database, run.id, {
          ...(after !== undefined && { after }),
          ...(limit !== undefined && { limit }),
        });
        return { lines };
      },
    ),
    follow(
      "/v1/runs/:run/events",
      {
        operationId: "followRun",
        summary: "Hear of one run: its points and lines as they come",
        description:
          "First an event `position` with the last step of each metric and the last line's number, from which on it is told; then `points`, `lines`, `run` where anything of it changed, and `rewound` where a run was taken up again from an earlier step.",
      },
      async (c) => {
        const { records, run } = await findRun(server, nameIn(c));
        const follower = await followRun(records.database, run.id);
        let isFirst = true;
        return async () => {
          await recordsOf();
          const position = isFirst ? [{ name: "position", data: follower.position }] : [];
          isFirst = false;
          return [...position, ...eventsOf(await follower.next())];
        };
      },
    ),
    {
      method: "GET",
      path: "/v1/runs/:run/artifacts/*",
      access: operatorAccess,
      handle: async (c) => {
        checkQuery(NoQuery, c);
        return await sendArtifact(server, c);
      },
      describe: describeRead("/v1/runs/:run/artifacts/*", {
        operationId: "getArtifact",
        summary: "A file that is kept with a run",
        query: NoQuery,
        content: {
          "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
        },
      }),
    },
  ];
}

function eventsOf({ run, rewound, points, lines }: RunNews): readonly ServerEvent[] {
  const told = points.map(({ value, ...point }) => ({
    ...point,
    value: Number.isFinite(value) ? value : null,
  }));
  return [
    ...(rewound.length > 0 ? [{ name: "rewound", data: { metrics: rewound } }] : []),
    ...(told.length > 0 ? [{ name: "points", data: { points: told } }] : []),
    ...(lines.length > 0 ? [{ name: "lines", data: { lines } }] : []),
    ...(run === undefined ? [] : [{ name: "run", data: run }]),
  ];
}

function describeRead(
  path: string,
  {
    operationId,
    summary,
    description,
    query,
    content,
  }: Pick<Described<z.ZodObject>, "operationId" | "summary" | "description" | "query"> & {
    readonly content: Record<string, { readonly schema: z.ZodType }>;
  },
): RouteDescription {
  const isOfOne = path.includes(":run");
  const isOfFile = path.endsWith("/*");
  const named = isOfFile
    ? params.extend({
        name: z.string().openapi({ description: "The file's name; may hold slashes." }),
      })
    : params;
  return {
    documentedPath: path.replace(":run", "{run}").replace("*", "{name}"),
    ...{ operationId, summary, tags: ["Runs"] },
    ...(description && { description }),
    request: { ...(isOfOne && { params: named }), ...(query !== NoQuery && { query }) },
    responses: { 200: { description: summary, content }, ...findErrors },
  } as RouteDescription;
}

/** @throws FIELDS_INVALID */
function checkQuery<Query extends z.ZodObject>(query: Query, c: RequestContext): z.output<Query> {
  const given: Record<string, string | string[]> = {};
  for (const [name, all] of Object.entries(c.req.queries())) {
    const field = query.shape[name];
    const isList = (field instanceof z.ZodOptional ? field.unwrap() : field) instanceof z.ZodArray;
    given[name] = isList ? all : (all.at(-1) ?? "");
  }
  return checkFields(query, given);
}

function nameIn(c: RequestContext): string {
  return c.req.param("run") ?? "";
}

/** @throws RUN_NOT_FOUND, also where nothing was ever recorded; RUN_AMBIGUOUS */
async function findRun(
  server: ServerContext,
  name: string,
): Promise<{ readonly records: RunRecords; readonly run: TrackedRun }> {
  const records = await server.service.runs?.();
  if (records === undefined) throw new BridleError("RUN_NOT_FOUND", { run: name.slice(0, 200) });
  return { records, run: await getRun(records.database, name.slice(0, 1000)) };
}

/** @throws RUN_NOT_FOUND, ARTIFACT_NOT_FOUND, and what the store throws */
async function sendArtifact(server: ServerContext, c: RequestContext): Promise<Response> {
  const at = c.req.path.indexOf("/artifacts/");
  if (at === -1) throw new BridleError("ROUTE_NOT_FOUND", { path: c.req.path.slice(0, 200) });
  const { records, run } = await findRun(server, nameIn(c));
  const name = decodeName(c.req.path.slice(at + "/artifacts/".length));
  const kept = await listArtifacts(records.database, run.id);
  const found = kept.find((each) => each.name === name);
  if (found === undefined || found.blob === "") {
    const where = found === undefined ? "" : ` It lies at ${found.uri}.`;
    throw new BridleError("ARTIFACT_NOT_FOUND", { run: run.id, name: name.slice(0, 200), where });
  }
  const headers = {
    "content-type": found.mediaType,
    "content-length": String(found.sizeBytes),
    // What a run keeps is never run as part of this site.
    "content-disposition": "attachment",
    etag: `"${found.sha256}"`,
  };
  if (c.req.method === "HEAD" && (await records.artifacts.head(found.blob)) !== undefined) {
    // Nobody would read the file to its end, which closes it.
    return new Response(null, { headers });
  }
  const { scope } = c.var;
  const gone = new AbortController();
  scope.onEnd(() => gone.abort());
  const giveUp = (): void => gone.abort(scope.signal.reason);
  scope.signal.addEventListener("abort", giveUp, { once: true });
  const chunks = await records.artifacts.get(found.blob, { signal: gone.signal });
  // The deadline is for the beginning; see streamBody.
  scope.signal.removeEventListener("abort", giveUp);
  return new Response(streamBody(server, c, chunks), { headers });
}
