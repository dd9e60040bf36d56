// What every resource of the service works with, handed down as an argument.
import type { HttpBindings } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, Handler } from "hono";
import type { Service } from "../compose.js";
import type { ServeConfig } from "../config/serve-config.js";
import type { ResultCache } from "../summarize/result-cache.js";
import type { Admission, AdmissionLimits } from "./admission.js";
import type { KeyRing } from "./api-keys.js";
import type { CsrfGuard } from "./csrf.js";
import type { Listeners } from "./listeners.js";
import type { Logger } from "./log.js";
import type { Metrics } from "./metrics.js";
import type { RequestScope } from "./request-scope.js";

export interface ServerContext {
  readonly config: ServeConfig & Pick<AdmissionLimits, "concurrency">;
  readonly service: Service;
  readonly admission: Admission;
  /** Summaries made before; undefined where none are kept. */
  readonly cache: ResultCache | undefined;
  readonly keys: KeyRing;
  readonly csrf: CsrfGuard;
  readonly listeners: Listeners;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly lifecycle: Lifecycle;
}

/** Where the server stands between its start and its end. */
export interface Lifecycle {
  readonly startedAt: Date;
  /** True once the models answer at full speed. */
  warm: boolean;
  /** True from SIGTERM on: /ready says no. */
  draining: boolean;
  /** True once new work is refused, which may be later than `draining`. */
  closed: boolean;
  /** Fires when what is still under way is given up, with the error that its callers are told. */
  readonly givingUp: AbortController;
}

export interface Env {
  Bindings: HttpBindings;
  Variables: { scope: RequestScope };
}

export type App = OpenAPIHono<Env>;
export type RequestContext = Context<Env>;
export type RequestHandler = Handler<Env>;
