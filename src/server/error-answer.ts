// Answers errors in the shape of the route that failed: problem+json, FastAPI's or Hugging Face's.
import { kinds } from "../errors/codes.js";
import type { BridleError } from "../errors/error.js";
import type { RequestContext } from "./context.js";
import { asFastApi } from "./fastapi/validation.js";
import { type FieldProblem, FieldProblems, parameterProblems } from "./field-problems.js";

/** Titles of problem documents, by status. */
const titles: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Not authenticated",
  403: "Not allowed",
  404: "Not found",
  405: "Method not allowed",
  408: "Request timeout",
  409: "Conflict",
  413: "Content too large",
  415: "Unsupported media type",
  422: "Unprocessable content",
  429: "Too many requests",
  500: "Internal error",
  503: "Unavailable",
  504: "Timeout",
};

/** A problem document, RFC 9457, with Bridle's own members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly hint: string;
  readonly requestId: string;
  readonly errors?: readonly FieldProblem[];
}

/** What happened, in words for the caller; the inner words of a bug stay in the log. */
function messageOf(error: BridleError): string {
  return error.kind === "bug" ? "The server failed in a way it should not." : error.message;
}

/** An error as a problem document. */
export function toProblem(error: BridleError, requestId: string): Problem {
  const { status } = kinds[error.kind];
  const fields =
    error.cause instanceof FieldProblems ? error.cause.problems : parameterProblems(error);
  return {
    type: `urn:bridle:error:${error.code}`,
    title: titles[status] ?? "Error",
    status,
    detail: messageOf(error),
    code: error.code,
    hint: error.hint,
    requestId,
    ...(fields.length > 0 && { errors: fields }),
  };
}

/** Headers that belong to an error whatever its shape. */
function headersOf(error: BridleError): Record<string, string> {
  const headers: Record<string, string> = {};
  if (error.kind === "busy") headers["retry-after"] = String(error.details.retryAfterS ?? 1);
  if (error.kind === "unavailable") headers["retry-after"] = "1";
  if (error.kind === "unauthenticated") headers["www-authenticate"] = "Bearer";
  if (error.code === "METHOD_NOT_ALLOWED") headers.allow = String(error.details.allow);
  return headers;
}

export type ErrorShape = "problem" | "fastapi" | "huggingface";

/** The shape of errors below a path. */
export function shapeOf(path: string): ErrorShape {
  if (/^\/+bert/i.test(path)) return "fastapi";
  return path === "/models" || path.startsWith("/models/") ? "huggingface" : "problem";
}

/** Answers an error in the shape of the route it happened on. */
export function answerError(c: RequestContext, error: BridleError): Response {
  const { id } = c.var.scope;
  c.var.scope.code = error.code;
  const headers = headersOf(error);
  const shape = shapeOf(c.req.path);
  if (shape === "problem") {
    return answer(
      kinds[error.kind].status,
      "application/problem+json",
      toProblem(error, id),
      headers,
    );
  }
  const message = `${messageOf(error)} ${error.hint}`;
  if (shape === "fastapi") {
    const { status, body } = asFastApi(error, message, c.req.path);
    return new Response(body, {
      status,
      headers: { ...headers, "content-type": "application/json" },
    });
  }
  // Hugging Face's client sends again on 503, at once and without end; 429 makes it stop.
  const status = error.kind === "unavailable" ? 429 : kinds[error.kind].status;
  return answer(
    status,
    "application/json",
    { error: message, code: error.code, requestId: id },
    headers,
  );
}

function answer(
  status: number,
  type: string,
  content: object,
  headers: Record<string, string>,
): Response {
  return new Response(JSON.stringify(content), {
    status,
    headers: { ...headers, "content-type": type },
  });
}
