// ServeConfig: what `bridle serve` can be told, with every default, unit and description in one schema.
import { z } from "zod";
import { BridleError } from "../errors/error.js";
import { type MachineShare, shareMachine, thisMachine } from "./machine.js";
import { modelDTypes } from "./model-dtypes.js";

const megabyte = 1_000_000;

const wholeNumber = (least: number, most: number) => z.number().int().min(least).max(most);

/** An origin as browsers send it: scheme, host and port, without a path. */
const origin = z
  .string()
  .refine((value) => URL.canParse(value) && new URL(value).origin === value, {
    error: "must be an origin such as https://app.example (no path, no trailing slash)",
  });

export const logFormats = ["text", "json", "gcp"] as const;
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

export const ServeConfig = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address to listen on; beyond loopback, operator routes need an API key"),
  port: wholeNumber(0, 65_535)
    .default(8000)
    .describe("Port to listen on; 0 takes a free one; environment: PORT"),
  models: z
    .array(z.string().min(1))
    .min(1)
    .default(["extractive"])
    .describe(
      "Models to serve: extractive, folders with a model, registered versions (news:3, or news@champion, which is followed when it moves), or ids on the Hugging Face hub; the first answers where a request names none",
    ),
  db: z
    .string()
    .min(1)
    .optional()
    .describe("Database with the registry: a path or URL; environment: BRIDLE_DB"),
  store: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Store with the files of registered models: a folder or URL; environment: BRIDLE_STORE",
    ),
  registryPollMs: wholeNumber(50, 3_600_000)
    .default(2000)
    .describe("How often the registry is asked where the served aliases point, in ms"),
  device: z
    .enum(["auto", "cpu", "webgpu", "cuda"])
    .default("auto")
    .describe(
      "Where neural models run; auto is CUDA where it is installed and answers, else the CPU",
    ),
  dtype: z
    .enum(modelDTypes)
    .optional()
    .describe(
      "What the weights of neural models are computed with; unless said, what their folders hold: fp32, or whole numbers in a quantized copy; these run on the CPU, and a copy is made the first time",
    ),
  workers: wholeNumber(1, 256)
    .default(1)
    .describe("Processes that work, each with its models, whose mapped weights they share"),
  threads: wholeNumber(1, 1024)
    .optional()
    .describe(
      "Threads of one operator of a neural model, and for long documents, in each process; its share of the processors unless said",
    ),
  maxBodyBytes: wholeNumber(1024, 2_000 * megabyte)
    .default(25 * megabyte)
    .describe("Largest request body, in bytes"),
  maxBufferedBytes: wholeNumber(1024, 64_000 * megabyte)
    .default(256 * megabyte)
    .describe(
      "How many bytes of request bodies may be held at once, over all requests; never less than one body",
    ),
  maxBatchDocuments: wholeNumber(1, 100_000)
    .default(1000)
    .describe("Most documents in one /v1/summaries:batch request"),
  maxBatchLines: wholeNumber(1, 1_000_000)
    .default(50_000)
    .describe("Most documents in one durable batch (/v1/batches)"),
  maxOpenBatchLines: wholeNumber(1, 1_000_000_000)
    .default(1_000_000)
    .describe("Most documents in durable batches that are not over; the next one is answered 429"),
  maxBeams: wholeNumber(1, 1000)
    .default(32)
    .describe("Most beams, or sequences, that a request may ask of a neural model"),
  maxCacheBytes: wholeNumber(1024, 2 ** 50)
    .optional()
    .describe(
      "Most bytes that keys and values of the documents on their way may take, for each neural model in each process; unless said, a quarter of the memory, shared evenly among all of these",
    ),
  resultCacheBytes: wholeNumber(0, 2 ** 50)
    .default(0)
    .describe(
      "Bytes of summaries that are kept for requests with the same text, model version and parameters; 0 keeps none",
    ),
  concurrency: wholeNumber(1, 4096)
    .optional()
    .describe(
      "How many requests are worked on at once; unless said, four for each processor, or as many as fill the steps of a neural model where that is more: 64 over its beams, in each process",
    ),
  queueLimit: wholeNumber(0, 1_000_000)
    .default(256)
    .describe("How many requests may wait for their turn; the next one is answered 429"),
  maxEventStreams: wholeNumber(0, 100_000)
    .default(200)
    .describe(
      "How many may listen to news of runs at once (server-sent events); the next one is answered 429",
    ),
  deadlineMs: wholeNumber(1, 86_400_000)
    .default(120_000)
    .describe("Longest time for one request, in ms; a caller may ask for less with x-timeout-ms"),
  bodyIdleMs: wholeNumber(10, 3_600_000)
    .default(15_000)
    .describe("How long a request's body may pause while it is being sent, in ms"),
  answerIdleMs: wholeNumber(10, 3_600_000)
    .default(60_000)
    .describe(
      "How long a caller may pause reading its answer, in ms, before its connection is ended; never before its deadline",
    ),
  headersTimeoutMs: wholeNumber(10, 3_600_000)
    .default(10_000)
    .describe("How long a connection may take to send a request's headers, in ms"),
  keepAliveMs: wholeNumber(0, 3_600_000)
    .default(65_000)
    .describe("How long an idle connection is kept, in ms; longer than a load balancer's 60 s"),
  heartbeatMs: wholeNumber(10, 3_600_000)
    .default(10_000)
    .describe("Pause after which a stream sends a comment line to stay open, in ms"),
  drainDelayMs: wholeNumber(0, 3_600_000)
    .default(0)
    .describe("On SIGTERM, how long new work is still taken while /ready already says no, in ms"),
  graceMs: wholeNumber(0, 3_600_000)
    .default(30_000)
    .describe("On SIGTERM, how long requests in flight may take to finish, in ms"),
  apiKeys: z
    .array(
      z.string().regex(/[^\s,]/, {
        error:
          "BRIDLE_API_KEYS holds no key; set one, or unset it where nobody is to be asked for one",
      }),
    )
    .default([])
    .describe("API keys, each KEY or KEY=scope+scope; environment only: BRIDLE_API_KEYS"),
  apiKeysFile: z
    .string()
    .min(1)
    .optional()
    .describe("File of hashed API keys; environment: BRIDLE_API_KEYS_FILE"),
  corsOrigins: z
    .array(z.union([z.literal("*"), origin]))
    .default([])
    .describe("Origins whose pages may call the API (* for all); none unless said"),
  logFormat: z
    .enum(logFormats)
    .default("text")
    .describe(
      "text: a short line each; json: one object each; gcp: as Google Cloud Logging reads it",
    ),
  logLevel: z.enum(logLevels).default("info").describe("Least severe level that is logged"),
  slowRequestMs: wholeNumber(0, 86_400_000)
    .default(10_000)
    .describe(
      "Requests that take so long, in ms, leave a line in the log that says where their time went",
    ),
  googleCloudProject: z
    .string()
    .min(1)
    .optional()
    .describe("Project for trace links in gcp logs; environment: GOOGLE_CLOUD_PROJECT"),
});

/** A checked configuration; every field has a value but those that are optional. */
export type ServeConfig = z.output<typeof ServeConfig> & {
  readonly threads: number;
  readonly maxCacheBytes: number;
  /** What each of the working processes gets of the machine. */
  readonly shares: readonly MachineShare[];
};
export type ServeConfigInput = z.input<typeof ServeConfig>;

/** Lists are given by repeating the option, named for one of them. */
const singular: Partial<Record<string, string>> = { models: "model", corsOrigins: "cors-origin" };

/** The option that sets a field: `maxBodyBytes` is `--max-body-bytes`. */
export function serveFlag(field: string): string {
  const words = field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${singular[field] ?? words}`;
}

/** The variables that set a field, where there are any. */
const variables: Partial<Record<string, string>> = {
  port: "PORT",
  apiKeys: "BRIDLE_API_KEYS",
  apiKeysFile: "BRIDLE_API_KEYS_FILE",
  googleCloudProject: "GOOGLE_CLOUD_PROJECT",
};

/** What whoever set a field calls it: an option, or a variable where that is where the value came from. */
function toldName(field: string, isGiven: boolean): string {
  const variable = variables[field];
  // Keys are set by no option.
  if (variable !== undefined && (!isGiven || field === "apiKeys")) return variable;
  return serveFlag(field);
}

/** What the environment says, where a name is set and not empty. */
function fromEnvironment(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const said = (field: string): string | undefined =>
    env[variables[field] as string]?.trim() || undefined;
  const port = said("port");
  const listed = said("apiKeys");
  const keys = listed?.split(/[\s,]+/).filter((key) => key !== "");
  const values = {
    port: port === undefined ? undefined : /^\d+$/.test(port) ? Number(port) : port,
    // Commas alone are no list of nothing, which would let everybody in: they are refused as the key that they are not.
    apiKeys: keys?.length === 0 ? [listed] : keys,
    apiKeysFile: said("apiKeysFile"),
    googleCloudProject: said("googleCloudProject"),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/**
 * How many bytes of bodies may be held: unless said, room for the largest one. A body that never fits would be told to come
 * back later, for ever.
 * @throws SERVE_OPTION_INVALID
 */
function roomForBodies(
  { maxBodyBytes, maxBufferedBytes }: z.output<typeof ServeConfig>,
  isSaid: boolean,
): number {
  if (!isSaid) return Math.max(maxBufferedBytes, maxBodyBytes);
  if (maxBufferedBytes >= maxBodyBytes) return maxBufferedBytes;
  const [whole, one] = [serveFlag("maxBufferedBytes"), serveFlag("maxBodyBytes")];
  const problems = `${whole}: ${maxBufferedBytes} has no room for a body of ${one}, ${maxBodyBytes}`;
  throw new BridleError("SERVE_OPTION_INVALID", { problems });
}

/**
 * The configuration a server starts with: defaults, then the environment, then what is given.
 * Fields given as undefined count as not given.
 * @throws SERVE_OPTION_INVALID naming every option or variable that is wrong, or two that do not go together
 */
export function resolveServeConfig(
  given: { [Name in keyof ServeConfigInput]?: ServeConfigInput[Name] | undefined } = {},
  env: NodeJS.ProcessEnv = process.env,
): ServeConfig {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const checked = ServeConfig.safeParse({ ...fromEnvironment(env), ...said });
  if (checked.success) {
    const { threads, workers, models, maxCacheBytes } = checked.data;
    const machine = thisMachine();
    const shares = shareMachine(machine, workers, threads);
    // Each model of each process has keys and values of its own; the extractive one has none.
    const holders =
      workers * Math.max(1, new Set(models).size - Number(models.includes("extractive")));
    return {
      ...checked.data,
      maxBufferedBytes: roomForBodies(checked.data, said.maxBufferedBytes !== undefined),
      shares,
      threads: threads ?? shares[0]?.threads ?? 1,
      maxCacheBytes: maxCacheBytes ?? Math.floor(machine.memoryBytes / 4 / holders),
    };
  }
  const problems = checked.error.issues
    .map(({ path: [field], message }) =>
      field === undefined
        ? `the configuration: ${message}`
        : `${toldName(String(field), String(field) in said)}: ${message}`,
    )
    .join("; ");
  throw new BridleError("SERVE_OPTION_INVALID", { problems });
}

/** True where an address reaches this machine only. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return bare === "localhost" || bare === "::1" || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(bare);
}
