// Runs as the native routes tell them: what may be asked, and what comes back.
import { z } from "@hono/zod-openapi";
import { mostPoints, usualPoints } from "../track/charts.js";
import { usualPage } from "../track/read.js";

const time = z.int().openapi({ description: "Milliseconds since 1970." });
const values = z.record(z.string(), z.string());
const number = z.number().nullable().openapi({ description: "Null where it is not finite." });

const statusSchema = z.enum(["running", "finished", "failed", "stopped", "interrupted"]);

export const RunSchema = z
  .object({
    id: z.string(),
    experiment: z.string(),
    name: z.string(),
    status: statusSchema,
    source: z.string().openapi({ description: "What made it: train, sweep, …" }),
    startedAt: time,
    endedAt: time.nullable(),
    aliveAt: time.openapi({ description: "When it last told something." }),
    takenUpAt: time.openapi({ description: "When a process began it, or took it up last." }),
    host: z.string(),
    pid: z.int(),
    output: z.string().openapi({ description: "The folder it writes to." }),
    configSha256: z.string(),
    commit: z.string().openapi({ description: "With + after it where files differed from it." }),
    parent: z.string().openapi({ description: "The run or sweep it belongs to." }),
    error: z.string(),
    changedAt: time,
    params: values,
    tags: values,
    metrics: z.record(
      z.string(),
      z.object({
        last: number,
        lastStep: z.int().nullable(),
        min: number,
        max: number,
        count: z.int(),
      }),
    ),
  })
  .openapi("Run");

export const RunsSchema = z
  .object({
    runs: z.array(RunSchema),
    total: z.int().openapi({ description: "How many there are on all pages." }),
  })
  .openapi("Runs");

export const ComparedRunsSchema = z.object({ runs: z.array(RunSchema) }).openapi("ComparedRuns");

export const ExperimentsSchema = z
  .object({
    experiments: z.array(
      z.object({
        name: z.string(),
        createdAt: time,
        runs: z.int(),
        running: z.int(),
        lastStartedAt: time.nullable(),
      }),
    ),
  })
  .openapi("Experiments");

export const RunDetailsSchema = z
  .object({
    run: RunSchema,
    artifacts: z.array(
      z.object({
        name: z.string(),
        sha256: z.string(),
        sizeBytes: z.int(),
        mediaType: z.string(),
        uri: z
          .string()
          .openapi({ description: "Where it lies, for a file that is not kept here." }),
        at: time,
      }),
    ),
  })
  .openapi("RunDetails");

export const ChartsSchema = z
  .object({
    charts: z.array(
      z.object({
        runId: z.string(),
        key: z.string(),
        isExact: z.boolean().openapi({ description: "Whether these are the points themselves." }),
        points: z.array(
          z.object({
            step: z.int(),
            lastStep: z.int(),
            epoch: z.number().nullable(),
            at: time,
            mean: number,
            min: number,
            max: number,
            count: z.int(),
            notFinite: z.int(),
          }),
        ),
      }),
    ),
  })
  .openapi("Charts");

export const RunLinesSchema = z
  .object({
    lines: z.array(z.object({ number: z.int(), at: time, level: z.string(), text: z.string() })),
  })
  .openapi("RunLines");

/** A whole number in a query, where everything is text. */
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .pipe(z.int().min(least).max(most));
const furthest = Number.MAX_SAFE_INTEGER;
const several = (most: number) => z.array(z.string().min(1).max(1000)).max(most);

/** Names in it may come once, or as often as there are values. */
export const RunsQuery = z.strictObject({
  filter: several(50).optional().openapi({
    description:
      "Conditions that must all hold: a field, one of = != < <= > >= ~, and a value, such as `metrics.eval/loss < 2`.",
  }),
  sort: z.string().min(1).max(1000).optional().openapi({
    description: "A field, with - before it from the greatest down; -started unless said.",
  }),
  limit: whole(1, 1000)
    .optional()
    .openapi({ description: `${usualPage} unless said.` }),
  offset: whole(0, furthest).optional(),
});
export const CompareQuery = z.strictObject({
  id: several(100).min(1).openapi({ description: "Ids of runs, in the order of the answer." }),
});
export const ChartsQuery = z.strictObject({
  keys: several(1000)
    .optional()
    .openapi({ description: "Metrics; all of them unless said, system/ readings included." }),
  points: whole(1, mostPoints)
    .optional()
    .openapi({
      description: `The most points of one chart; ${usualPoints} unless said.`,
    }),
  fromStep: whole(0, furthest).optional(),
  toStep: whole(0, furthest).optional(),
});
export const LinesQuery = z.strictObject({
  after: whole(0, furthest).optional().openapi({ description: "The number of the line before." }),
  limit: whole(1, 10_000).optional().openapi({ description: "1000 unless said." }),
});
export const NoQuery = z.strictObject({});
