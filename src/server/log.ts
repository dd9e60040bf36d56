// Structured logs: a short line for people, JSON for machines, or the fields Google Cloud Logging reads. Never a document's text.
import type { IncomingHttpHeaders } from "node:http";
import { type DestinationStream, type Logger, pino } from "pino";
import type { ServeConfig } from "../config/serve-config.js";
import type { BridleError } from "../errors/error.js";
import type { SwapEvent } from "../loop/served-alias.js";
import type { RoundingProgress } from "../summarize/create-summarizer.js";
import type { WorkAccount } from "./request-scope.js";

export type { Logger } from "pino";

type LogConfig = Pick<ServeConfig, "logFormat" | "logLevel" | "googleCloudProject">;

/** What one answered request leaves in the log. */
export interface RequestRecord {
  readonly requestId: string;
  readonly method: string;
  /** Without the query, which might hold anything. */
  readonly path: string;
  readonly status: number;
  /** Asked every few seconds by a platform: kept to the debug level. */
  readonly isProbe: boolean;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly remoteAddress: string | undefined;
  readonly userAgent: string | undefined;
  readonly httpVersion: string;
  /** Name of the API key used. */
  readonly key?: string | undefined;
  readonly code?: string | undefined;
  readonly trace?: Trace | undefined;
}

export interface Trace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId?: string | undefined;
  readonly sampled: boolean;
}

/** Severity names of Google Cloud Logging for pino's levels. */
const severities: Readonly<Record<string, string>> = {
  trace: "DEBUG",
  debug: "DEBUG",
  info: "INFO",
  warn: "WARNING",
  error: "ERROR",
  fatal: "CRITICAL",
};

/** Characters that are kept where nobody reads the log; further lines are lost then, and memory is not. */
const mostHeldLog = 16 * 2 ** 20;

/** A log that cannot be written, as on a full disk, ends nobody's work: the next line tries again. */
function openStandardError(): DestinationStream {
  const opened = pino.destination({ dest: 2, sync: false, maxLength: mostHeldLog });
  let isFailing = false;
  opened.on("error", () => {
    isFailing = true;
  });
  opened.on("write", () => {
    isFailing = false;
  });
  // When the process ends, sonic-boom 4 writes what is left again and again until that succeeds. Where the last write of all is the
  // first to fail, it still does.
  const flush = opened.flushSync.bind(opened);
  opened.flushSync = () => {
    if (!isFailing) flush();
  };
  return opened;
}

/**
 * Opens the log.
 * @param destination where lines go; standard error unless said, so that standard output stays a command's own
 */
export function openLog(config: LogConfig, destination?: DestinationStream): Logger {
  const target = destination ?? openStandardError();
  const level = config.logLevel;
  switch (config.logFormat) {
    case "text":
      return pino(
        { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
        readable(target),
      );
    case "json":
      return pino(
        {
          level,
          base: null,
          timestamp: pino.stdTimeFunctions.isoTime,
          formatters: { level: (label) => ({ level: label }) },
        },
        target,
      );
    case "gcp":
      return pino(
        {
          level,
          base: null,
          messageKey: "message",
          timestamp: pino.stdTimeFunctions.isoTime,
          formatters: { level: (label) => ({ severity: severities[label] ?? "DEFAULT" }) },
        },
        target,
      );
  }
}

/** Turns pino's objects into lines such as `12:03:04.112 info  POST /bert 200 12 ms id=…`. */
function readable(target: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const label = (pino.levels.labels[Number(level)] ?? "").padEnd(5);
      const fields = Object.entries(rest)
        .map(
          ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
        )
        .join(" ");
      target.write(`${String(time).slice(11, 23)} ${label} ${msg}${fields && ` ${fields}`}\n`);
    },
  };
}

/** Writes one line for an answered request, in the shape of the log's format. */
export function logRequest(log: Logger, config: LogConfig, record: RequestRecord): void {
  const { requestId, key, code, trace } = record;
  const line = `${record.method} ${record.path} ${record.status} ${Math.round(record.durationMs)} ms`;
  const level = levelOf(record);
  const common = { requestId, ...(key && { key }), ...(code && { code }) };
  if (config.logFormat === "gcp") {
    log[level](
      {
        ...common,
        ...traceFields(trace, config.googleCloudProject),
        httpRequest: {
          requestMethod: record.method,
          requestUrl: record.path,
          requestSize: String(record.requestBytes),
          status: record.status,
          responseSize: String(record.responseBytes),
          userAgent: record.userAgent,
          remoteIp: record.remoteAddress,
          latency: `${(record.durationMs / 1000).toFixed(6)}s`,
          protocol: `HTTP/${record.httpVersion}`,
        },
      },
      line,
    );
  } else if (config.logFormat === "json") {
    const { method, path, status, durationMs, requestBytes, responseBytes } = record;
    const { remoteAddress, userAgent } = record;
    const request = { method, path, status, durationMs, requestBytes, responseBytes };
    log[level]({ ...common, ...request, remoteAddress, userAgent, ...trace }, line);
  } else {
    log[level](common, line);
  }
}

/** A request that took long, as far as is known where its time went. Numbers, names and codes: nothing of its text. */
export interface SlowRequest {
  readonly requestId: string;
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly code?: string | undefined;
  readonly account: Omit<WorkAccount, "told">;
}

/** Writes one line for a request that took longer than operators want, with where its time went. */
export function logSlow(log: Logger, { account, code, durationMs, ...slow }: SlowRequest): void {
  const rounded = (ms: number) => Math.round(10 * ms) / 10;
  const { waitedMs, phasesMs, occupancy, ...counts } = account;
  log.warn(
    {
      ...slow,
      ...(code && { code }),
      durationMs: rounded(durationMs),
      ...counts,
      ...(waitedMs !== undefined && { waitedMs: rounded(waitedMs) }),
      ...(phasesMs && {
        phasesMs: Object.fromEntries(
          Object.entries(phasesMs).map(([phase, ms]) => [phase, rounded(ms)]),
        ),
      }),
      ...(occupancy !== undefined && { occupancy: rounded(occupancy) }),
    },
    "Slow request",
  );
}

function levelOf({ status, isProbe }: RequestRecord): "debug" | "info" | "warn" | "error" {
  if (isProbe) return "debug";
  // Starting, shutting down: not a fault, but somebody was sent away.
  if (status === 503) return "warn";
  return status >= 500 ? "error" : "info";
}

function traceFields(trace: Trace | undefined, project: string | undefined): object {
  if (!trace) return {};
  const name =
    project === undefined ? trace.traceId : `projects/${project}/traces/${trace.traceId}`;
  return {
    "logging.googleapis.com/trace": name,
    ...(trace.spanId && { "logging.googleapis.com/spanId": trace.spanId }),
    "logging.googleapis.com/trace_sampled": trace.sampled,
  };
}

/**
 * The trace a request belongs to.
 * Source: W3C Trace Context (traceparent) and Google Cloud's X-Cloud-Trace-Context `TRACE/SPAN;o=1`, span in decimal.
 */
export function readTrace(headers: IncomingHttpHeaders): Trace | undefined {
  const parent = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(
    String(headers.traceparent ?? ""),
  );
  if (parent?.[1] && !/^0+$/.test(parent[1])) {
    const sampled = (Number.parseInt(parent[3] ?? "0", 16) & 1) === 1;
    return { traceId: parent[1], spanId: parent[2], sampled };
  }
  const cloud = /^([0-9a-f]{32})(?:\/(\d{1,20}))?(?:;o=(\d))?$/i.exec(
    String(headers["x-cloud-trace-context"] ?? ""),
  );
  if (!cloud?.[1]) return undefined;
  const span = cloud[2] === undefined ? undefined : BigInt.asUintN(64, BigInt(cloud[2]));
  return {
    traceId: cloud[1].toLowerCase(),
    spanId: span?.toString(16).padStart(16, "0"),
    sampled: cloud[3] === "1",
  };
}

/**
 * What may be logged of a failure: where it happened, and its message only where that cannot quote a document
 * (a parser's message often does).
 */
export function describeFailure(error: BridleError): object {
  const cause = error.code === "BUG" && error.cause instanceof Error ? error.cause : error;
  const frames = cause.stack?.split("\n").filter((line) => /^\s+at /.test(line));
  const quotesNothing =
    cause instanceof TypeError || cause instanceof RangeError || cause instanceof ReferenceError;
  const system = (cause as NodeJS.ErrnoException).syscall !== undefined;
  return {
    code: error.code,
    error: cause.name,
    ...((quotesNothing || system) && { reason: cause.message }),
    stack: frames?.slice(0, 12).join("\n"),
  };
}

/** A served alias that moved: who moved it, and what came of that. */
export function logModelChange(log: Logger, event: SwapEvent): void {
  const { name } = event;
  if (!("error" in event)) {
    const { version, by } = event;
    const told =
      event.type === "opening"
        ? "A served model moved; its version is being opened"
        : "A served model answers with another version";
    log.info({ model: name, version, by }, told);
    return;
  }
  const { code, message, hint } = event.error;
  const version = event.type === "failed" ? { version: event.version } : {};
  const told =
    event.type === "failed"
      ? "A version could not be opened; the one before goes on answering"
      : "The registry does not answer; what is served goes on being served";
  log.error({ model: name, ...version, code, hint }, `${told}: ${message}`);
}

/** How often what takes long is told of, in ms. */
const progressEveryMs = 5000;

/** Tells of long work every few seconds, and of its end. @param message said of each */
export function progressLog(
  log: Logger,
  message: string,
): (isLast: boolean, facts: object) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  return (isLast, facts) => {
    if (!isLast && performance.now() - toldAt < progressEveryMs) return;
    toldAt = performance.now();
    log.info(facts, message);
  };
}

/** Tells how far the rounding of a model's weights is. */
export function roundingLog(log: Logger): (progress: RoundingProgress) => void {
  const tell = progressLog(log, "Rounding weights");
  return ({ folder, dtype, phase, done, total }) =>
    tell(done >= total, { model: folder, dtype, phase, done, total });
}
