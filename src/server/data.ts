// Versions of data over HTTP, to be read: which there are, who used each, and what it holds where the project has it.
import { z } from "@hono/zod-openapi";
import { BridleError, toBridleError } from "../errors/error.js";
import { type DataSources, type DataVersion, listDataVersions } from "../loop/data-versions.js";
import type { RequestContext, ServerContext } from "./context.js";
import { checkFields } from "./field-problems.js";
import { describeFailure } from "./log.js";
import { findErrors, operatorAccess, type RouteTable, readErrors } from "./routes.js";

const NoQuery = z.strictObject({});
const count = z.int().min(0);
const role = z.enum(["train", "validation", "test"]);

const common = {
  id: z.string(),
  path: z.string().openapi({ description: "As it was named last, from the project's folder." }),
  otherPaths: z.array(z.string()),
  sha256: z.string().nullable(),
  md5: z.string().nullable().openapi({ description: "As DVC names it." }),
  sizeBytes: count.nullable(),
  fileCount: count.nullable().openapi({ description: "Files, of a folder." }),
  rows: count.nullable().openapi({ description: "Rows that were used of it." }),
  usedAs: z.array(role),
  isTracked: z.boolean().openapi({ description: "Whether a .dvc file names this content." }),
  isHere: z.boolean().openapi({ description: "Whether the project's folder has it as it was." }),
  lastUsedAt: z.int().nullable().openapi({ description: "Milliseconds since 1970." }),
};
const model = z.object({
  model: z.string(),
  version: z.int().min(1),
  aliases: z.array(z.string()),
  as: role.nullable(),
});

const DataVersionsSchema = z
  .object({
    project: z.string().nullable().openapi({
      description: "The folder whose files are looked at; null where the server runs in none.",
    }),
    versions: z.array(z.object({ ...common, runs: count, models: z.array(model) })),
    broken: z.array(z.object({ path: z.string(), code: z.string(), message: z.string() })).openapi({
      description: "Files of the project that say what is tracked, and cannot be used.",
    }),
  })
  .openapi("DataVersions");

const DataVersionSchema = z
  .object({
    ...common,
    models: z.array(model),
    runs: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        experiment: z.string(),
        status: z.string(),
        startedAt: z.int(),
        as: role,
        rows: count.nullable(),
      }),
    ),
    others: z
      .array(z.object({ ...common, runs: count, models: z.array(model) }))
      .openapi({ description: "Other versions of the same path." }),
    together: z
      .array(z.object({ ...common, runs: count, models: z.array(model) }))
      .openapi({ description: "Data that the same runs used as other splits." }),
  })
  .openapi("DataVersion");

const StatisticsSchema = z
  .object({
    state: z.enum(["computing", "done", "failed", "unavailable"]),
    reason: z.enum(["no-project", "not-here", "too-large"]).optional().openapi({
      description: "Why they cannot be had.",
    }),
    code: z.string().optional(),
    message: z.string().optional(),
    split: z.looseObject({}).optional().openapi({
      description: "What `bridle data stats --json` tells of a split.",
    }),
  })
  .openapi("DataStatistics");

const params = z.object({ id: z.string().openapi({ description: "A version's id." }) });

function briefOf({ runs, columns: _, ...version }: DataVersion) {
  return { ...version, runs: new Set(runs.map(({ id }) => id)).size };
}

export function dataRoutes(server: ServerContext): RouteTable {
  const look = (c: RequestContext): Promise<DataSources> => {
    checkFields(NoQuery, c.req.query());
    return sourcesOf(server);
  };
  const find = async (c: RequestContext) => {
    const sources = await look(c);
    const id = c.req.param("id") ?? "";
    const { versions: all } = await listDataVersions(sources);
    const version = all.find((each) => each.id === id);
    if (version === undefined) {
      throw new BridleError("DATA_VERSION_NOT_FOUND", { id: id.slice(0, 200) });
    }
    return { sources, all, version };
  };
  return [
    {
      method: "GET",
      path: "/v1/data",
      access: operatorAccess,
      async handle(c) {
        const sources = await look(c);
        const { versions, broken } = await listDataVersions(sources);
        const project = sources.project?.folder ?? null;
        return Response.json({ project, versions: versions.map(briefOf), broken });
      },
      describe: {
        operationId: "listData",
        tags: ["Data"],
        summary: "List the versions of data that were used or are tracked",
        responses: {
          200: {
            description: "All, the last used first.",
            content: { "application/json": { schema: DataVersionsSchema } },
          },
          ...readErrors,
        },
      },
    },
    {
      method: "GET",
      path: "/v1/data/:id",
      access: operatorAccess,
      async handle(c) {
        const { all, version } = await find(c);
        const { columns: _, ...told } = version;
        const runs = new Set(version.runs.map(({ id }) => id));
        const rest = all.filter((each) => each !== version);
        return Response.json({
          ...told,
          others: rest.filter(({ path }) => path === version.path).map(briefOf),
          together: rest
            .filter(
              ({ path, runs: own }) => path !== version.path && own.some(({ id }) => runs.has(id)),
            )
            .map(briefOf),
        });
      },
      describe: {
        documentedPath: "/v1/data/{id}",
        operationId: "getData",
        tags: ["Data"],
        summary: "A version of data with every run and registered version that used it",
        request: { params },
        responses: {
          200: {
            description: "The version.",
            content: { "application/json": { schema: DataVersionSchema } },
          },
          ...findErrors,
        },
      },
    },
    {
      method: "GET",
      path: "/v1/data/:id/statistics",
      access: operatorAccess,
      async handle(c) {
        const { sources, version } = await find(c);
        return Response.json(await statisticsOf(sources, version));
      },
      describe: {
        documentedPath: "/v1/data/{id}/statistics",
        operationId: "getDataStatistics",
        tags: ["Data"],
        summary: "What a version of data holds: lengths, ratios, novelty, languages",
        description:
          "They are computed from the project's file when somebody first asks, beside the work of the server; ask again while they are being computed.",
        request: { params },
        responses: {
          200: {
            description: "The statistics, or how far they are.",
            content: { "application/json": { schema: StatisticsSchema } },
          },
          ...findErrors,
        },
      },
    },
  ];
}

async function statisticsOf({ project }: DataSources, version: DataVersion) {
  if (project === undefined) return { state: "unavailable", reason: "no-project" };
  const { path, otherPaths, sha256, md5, columns } = version;
  for (const each of [path, ...otherPaths]) {
    const found = await project.find(each);
    if (found !== undefined && (found.sha256 === sha256 || found.md5 === md5)) {
      return project.statistics(found, columns);
    }
  }
  const reason = (await project.isTooLarge(path)) ? "too-large" : "not-here";
  return { state: "unavailable", reason };
}

/** A registry that does not answer keeps nobody from looking at what runs tell. */
async function sourcesOf({ service, log }: ServerContext): Promise<DataSources> {
  const database = (await service.runs?.())?.database;
  const registry = await service.registry?.().catch((thrown: unknown) => {
    log.error(describeFailure(toBridleError(thrown)), "The registry does not answer");
    return undefined;
  });
  return { database, registry, project: service.project };
}
