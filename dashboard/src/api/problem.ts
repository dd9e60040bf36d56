// What went wrong with a request, in the words the server gave for it.

interface FieldError {
  /** JSON pointer into the request's body. */
  readonly pointer: string;
  readonly detail: string;
}

/** A failed request. `hint` says what to do next; `requestId` finds it in the server's log. */
export class Problem extends Error {
  override readonly name = "Problem";
  /** HTTP status, or 0 where no answer came. */
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly fields: readonly FieldError[];

  constructor(problem: {
    status: number;
    code: string;
    message: string;
    hint?: string | undefined;
    requestId?: string | undefined;
    fields?: readonly FieldError[];
    cause?: unknown;
  }) {
    super(problem.message, { cause: problem.cause });
    this.status = problem.status;
    this.code = problem.code;
    this.hint = problem.hint;
    this.requestId = problem.requestId;
    this.fields = problem.fields ?? [];
  }
}

/** Reads an answer that is not 2xx: RFC 9457 problem+json from Bridle, anything at all from a proxy in front of it. */
export async function readProblem(response: Response): Promise<Problem> {
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const body = await response.json().catch(() => undefined);
  if (!isRecord(body)) {
    return new Problem({
      status: response.status,
      code: `HTTP_${response.status}`,
      message: `The server answered ${[response.status, response.statusText].filter(Boolean).join(" ")}.`,
      hint: "The answer did not come from Bridle itself; look at the proxy in front of it.",
      requestId,
    });
  }
  return toProblem(body, response.status, requestId);
}

/** A problem document, as an answer or as the `error` event of a stream. */
export function toProblem(document: unknown, status = 0, requestId?: string): Problem {
  const body = isRecord(document) ? document : {};
  const told = typeof body.status === "number" ? body.status : status;
  return new Problem({
    status: told,
    code: text(body.code) ?? `HTTP_${told}`,
    message: text(body.detail) ?? text(body.title) ?? `The server answered ${told}.`,
    hint: text(body.hint),
    requestId: text(body.requestId) ?? requestId,
    fields: Array.isArray(body.errors) ? body.errors.filter(isRecord).map(readField) : [],
  });
}

/** A stream that ended before the summary did. */
export function cutOff(): Problem {
  return new Problem({
    status: 0,
    code: "CUT_OFF",
    message: "The answer ended before the summary was whole.",
    hint: "Try again; if it happens again, look at the time limits of the proxy in front of Bridle.",
  });
}

/** What `fetch` threw, as a Problem: no connection, or an answer cut off half-way. */
export function unreachable(cause: unknown): Problem {
  return new Problem({
    status: 0,
    code: "UNREACHABLE",
    message: "The server did not answer.",
    hint: "Check that Bridle is still running where this page came from, and try again.",
    cause,
  });
}

function readField(row: Record<string, unknown>): FieldError {
  return { pointer: text(row.pointer) ?? "", detail: text(row.detail) ?? "" };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
