// Starts the HTTP server, guards its connections, and ends it without cutting off anybody's answer.
import { setMaxListeners } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { DestinationStream } from "pino";
import type { Service } from "../compose.js";
import { isLoopback, type ServeConfig } from "../config/serve-config.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { serverConcurrency } from "../summarize/default-concurrency.js";
import { createResultCache } from "../summarize/result-cache.js";
import { createAdmission } from "./admission.js";
import { loadKeyRing } from "./api-keys.js";
import { type BuiltFiles, createApp } from "./app.js";
import { answerMalformed, answerUnparsed } from "./client-errors.js";
import { type Connections, trackConnections } from "./connections.js";
import type { Lifecycle, ServerContext } from "./context.js";
import { createCsrfGuard } from "./csrf.js";
import { createListeners } from "./listeners.js";
import { describeFailure, logModelChange, openLog } from "./log.js";
import { createMetrics } from "./metrics.js";

export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** Settles when the models are warm; rejects when they cannot be loaded. */
  readonly ready: Promise<void>;
  /**
   * Says no at /ready, finishes what is in flight within the grace time, then stops listening. The service passed to
   * startServer stays open: who made it closes it.
   */
  close(): Promise<void>;
}

export interface StartOptions {
  /** Where log lines go; standard error unless said. */
  readonly logDestination?: DestinationStream;
  /** Where built files lie; this package's own dist/ unless said. */
  readonly files?: BuiltFiles;
}

/**
 * Begins to warm the models up, and listens meanwhile. Where it cannot listen, closing the service ends the former.
 * @throws ADDRESS_NOT_AVAILABLE, KEY_FILE_INVALID
 */
export async function startServer(
  asked: ServeConfig,
  service: Service,
  { logDestination, files = builtFiles() }: StartOptions = {},
): Promise<RunningServer> {
  const { concurrency = serverConcurrency(service.summarizers.values()) } = asked;
  const config = { ...asked, concurrency };
  const log = openLog(config, logDestination);
  // Before all else, since it is other threads that work; what goes wrong is told once it listens.
  const warming = service.warmUp();
  warming.catch(() => {});
  const admission = createAdmission(config);
  const cache =
    config.resultCacheBytes > 0 ? createResultCache(config.resultCacheBytes) : undefined;
  const lifecycle: Lifecycle = {
    startedAt: new Date(),
    warm: false,
    draining: false,
    closed: false,
    givingUp: new AbortController(),
  };
  // Every request listens.
  setMaxListeners(0, lifecycle.givingUp.signal);
  const metrics = createMetrics(admission, service, cache);
  const keys = await loadKeyRing(config);
  const context: ServerContext = {
    ...{ config, service, admission, cache, keys, metrics, log, lifecycle },
    csrf: createCsrfGuard(),
    listeners: createListeners(config.maxEventStreams),
  };
  service.onModelChange?.((event) => logModelChange(log, event));
  const app = await createApp(context, files);

  const connections = trackConnections();
  const listener = getRequestListener(app.fetch, {
    hostname: "localhost",
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    errorHandler: answerMalformed,
  });
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    connections.add(incoming.socket, outgoing);
    void listener(incoming, outgoing);
  };
  const server = createServer(
    {
      headersTimeout: config.headersTimeoutMs,
      // The deadline ends slow requests with an answer; this ends those that never reach a route.
      requestTimeout: Math.max(config.deadlineMs, config.headersTimeoutMs) + 5000,
      keepAliveTimeout: config.keepAliveMs,
      connectionsCheckingInterval: Math.min(5000, config.headersTimeoutMs),
    },
    onRequest,
  );
  // Whoever asks first gets the answer to a refusal without having sent the body; see readChunks.
  server.on("checkContinue", onRequest);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    answerUnparsed(error, socket, connections.current(socket));
  });

  try {
    await listen(server, config);
  } catch (thrown) {
    metrics.close();
    throw thrown;
  }
  const { port } = server.address() as AddressInfo;
  const url = `http://${hostForUrl(config.host)}:${port}`;
  log.info(
    {
      ...{ url, version: service.version, models: [...service.summarizers.keys()] },
      ...(keys.size > 0 && { keys: keys.labels }),
    },
    "Listening",
  );
  if (!isLoopback(config.host) && keys.size === 0) {
    log.warn(
      "Anybody who reaches this address can use the service: no API key is set. Operator routes are closed. Set BRIDLE_API_KEYS.",
    );
  }

  const ready = warming.then(() => {
    lifecycle.warm = true;
  });
  ready.catch((thrown) => {
    // Closing ends what is still being loaded.
    if (lifecycle.draining) return;
    log.fatal(describeFailure(toBridleError(thrown)), "The models cannot be loaded");
  });

  service.batches?.observe({
    onSummary: (result) => metrics.countDocument(result),
    onFailure: (model, error) => metrics.countFailure(model, error.code),
    onLost: (thrown) =>
      log.error(describeFailure(toBridleError(thrown)), "Durable batches cannot go on"),
  });
  // What an earlier server was killed over goes on, once models answer.
  ready
    .then(() => service.batches?.find())
    .catch((thrown) => {
      if (lifecycle.draining) return;
      log.error(describeFailure(toBridleError(thrown)), "Durable batches cannot go on");
    });

  let closing: Promise<void> | undefined;
  return {
    url,
    port,
    ready,
    close() {
      closing ??= drain(server, context, connections).finally(() => {
        metrics.close();
        log.info("Stopped");
        log.flush();
      });
      return closing;
    },
  };
}

async function listen(server: Server, { host, port }: ServeConfig): Promise<void> {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: bare, port }, () => {
      server.off("error", reject);
      resolve();
    });
  }).catch((cause: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = {
      EADDRINUSE: "something else listens there already",
      EACCES: "this user may not listen there",
      EADDRNOTAVAIL: "this machine has no such address",
      ENOTFOUND: "there is no such host",
    };
    const reason = reasons[cause.code ?? ""] ?? cause.code ?? cause.message;
    throw new BridleError("ADDRESS_NOT_AVAILABLE", { host, port, reason }, { cause });
  });
}

/** An address to type into a browser on this machine. */
function hostForUrl(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::" || host === "[::]") return "[::1]";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

const pollMs = 20;
/** How long callers whose work was given up have to take their answer. */
const tellingMs = 500;

async function drain(
  server: Server,
  { lifecycle, config, log, listeners }: ServerContext,
  connections: Connections,
): Promise<void> {
  lifecycle.draining = true;
  listeners.endAll();
  log.info({ inFlight: connections.size }, "Shutting down");
  if (config.drainDelayMs > 0) await sleep(config.drainDelayMs);
  lifecycle.closed = true;
  // Still listening, so that probes hear that it is not ready; work that comes now is sent elsewhere.
  const until = performance.now() + config.graceMs;
  while (connections.size > 0 && performance.now() < until) await sleep(pollMs);
  if (connections.size > 0) {
    log.warn({ inFlight: connections.size }, "The grace time is over");
    lifecycle.givingUp.abort(new BridleError("SHUTTING_DOWN"));
    // Time to tell them, for those who read.
    const told = performance.now() + tellingMs;
    while (connections.size > 0 && performance.now() < told) await sleep(pollMs);
  }
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

/** dist/ of this package, both for compiled code and for the sources beside it. */
function builtFiles(): BuiltFiles {
  const manifest = createRequire(import.meta.url).resolve("../../package.json");
  const dist = path.join(path.dirname(manifest), "dist");
  return {
    dashboard: path.join(dist, "dashboard"),
    docs: path.join(dist, "server", "docs-assets"),
  };
}
