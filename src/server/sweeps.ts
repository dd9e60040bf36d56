// Sweeps over HTTP, to be read: each in a line, and one with its trials, its ranking and what decides the objective.
import { z } from "@hono/zod-openapi";
import { BridleError, toBridleError } from "../errors/error.js";
import {
  describeSweep,
  findRegisteredTrials,
  type SweepDetails,
  summarizeSweeps,
} from "../loop/sweep/sweep-view.js";
import type { RequestContext, ServerContext } from "./context.js";
import { checkFields } from "./field-problems.js";
import { describeFailure } from "./log.js";
import { findErrors, operatorAccess, type RouteTable, readErrors } from "./routes.js";

const NoQuery = z.strictObject({});
const count = z.int().min(0);
const time = z.int().nullable().openapi({ description: "Milliseconds since 1970." });

const head = {
  name: z.string(),
  title: z.string().nullable().openapi({
    description: "What its file calls it where a name cannot hold that.",
  }),
  state: z.enum(["running", "interrupted", "done"]).openapi({
    description: "interrupted: it is not done, and nobody works on it.",
  }),
  objective: z.looseObject({ metric: z.string(), goal: z.enum(["minimize", "maximize"]) }),
  sampler: z.string(),
  pruner: z.string(),
  planned: count.openapi({ description: "Trials there are to be." }),
  beganAtMs: time,
  endedAtMs: time,
};

const TrialSchema = z
  .object({
    number: count,
    state: z.enum(["waiting", "running", "complete", "pruned", "failed"]),
    parameters: z.record(z.string(), z.unknown()),
    value: z.number().nullable().openapi({ description: "The objective of its best evaluation." }),
    step: count.nullable(),
    evaluation: z.looseObject({}).nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    run: z.string().nullable().openapi({ description: "The run it is recorded as." }),
    beganAtMs: time,
    endedAtMs: time,
    reports: z.array(z.object({ step: count, value: z.number().nullable() })),
  })
  .openapi("Trial");

const SweepsSchema = z
  .object({
    sweeps: z.array(
      z.object({
        ...head,
        trials: z.record(TrialSchema.shape.state, count),
        best: z.number().nullable(),
      }),
    ),
  })
  .openapi("Sweeps");

const SweepSchema = z
  .object({
    ...head,
    folder: z.string(),
    resume: z.string().openapi({
      description: "The command that goes on with it, for the folder it was begun in.",
    }),
    space: z.record(z.string(), z.looseObject({ kind: z.string() })).openapi({
      description: "What is tried of each key: a constant, a choice of values, or a distribution.",
    }),
    trials: z.array(TrialSchema),
    ranked: z.array(count).openapi({ description: "Numbers of complete trials, the best first." }),
    best: TrialSchema.nullable(),
    importance: z.record(z.string(), z.number()).nullable().openapi({
      description: "How much of the objective's variance each key explains; together 1.",
    }),
    registered: z
      .array(
        z.object({
          trial: count,
          model: z.string(),
          version: z.int().min(1),
          aliases: z.array(z.string()),
        }),
      )
      .openapi({ description: "Registered versions that its trials became." }),
  })
  .openapi("Sweep");

export function sweepRoutes(server: ServerContext): RouteTable {
  const look = async (c: RequestContext) => {
    checkFields(NoQuery, c.req.query());
    return (await server.service.runs?.())?.database;
  };
  return [
    {
      method: "GET",
      path: "/v1/sweeps",
      access: operatorAccess,
      async handle(c) {
        const database = await look(c);
        return Response.json({
          sweeps: database === undefined ? [] : await summarizeSweeps(database),
        });
      },
      describe: {
        operationId: "listSweeps",
        tags: ["Sweeps"],
        summary: "List the sweeps, the newest first",
        responses: {
          200: { description: "All.", content: { "application/json": { schema: SweepsSchema } } },
          ...readErrors,
        },
      },
    },
    {
      method: "GET",
      path: "/v1/sweeps/:sweep",
      access: operatorAccess,
      async handle(c) {
        const database = await look(c);
        const name = c.req.param("sweep") ?? "";
        const found = database && (await describeSweep(database, name));
        if (found === undefined)
          throw new BridleError("SWEEP_NOT_RECORDED", { name: name.slice(0, 200) });
        return Response.json({ ...found, registered: await registeredOf(server, found) });
      },
      describe: {
        documentedPath: "/v1/sweeps/{sweep}",
        operationId: "getSweep",
        tags: ["Sweeps"],
        summary: "A sweep with its trials, the best first, and what decides its objective",
        request: {
          params: z.object({ sweep: z.string().openapi({ description: "Its name." }) }),
        },
        responses: {
          200: {
            description: "The sweep.",
            content: { "application/json": { schema: SweepSchema } },
          },
          ...findErrors,
        },
      },
    },
  ];
}

/** A registry that does not answer keeps nobody from looking at a sweep. */
async function registeredOf({ service, log }: ServerContext, { trials }: SweepDetails) {
  try {
    const registry = await service.registry?.();
    return registry === undefined ? [] : await findRegisteredTrials(registry, trials);
  } catch (thrown) {
    log.error(describeFailure(toBridleError(thrown)), "The registry does not answer");
    return [];
  }
}
