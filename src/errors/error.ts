// The one error class: a code from the table, with the values that fill its message and hint.
import { codes, type ErrorCode, type ErrorKind } from "./codes.js";

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Fills `{name}` in a template from details; a name without a value stays visible as `{name}`. */
function fill(template: string, details: ErrorDetails): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = details[name];
    return value === undefined ? whole : String(value);
  });
}

/** An error a user can act on. `code` is a row of the table in codes.ts; `hint` says what to do next. */
export class BridleError extends Error {
  override readonly name = "BridleError";
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly hint: string;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options: { cause?: unknown } = {}) {
    const row = codes[code];
    super(fill(row.message, details), options);
    this.code = code;
    this.kind = row.kind;
    this.hint = fill(row.hint, details);
    this.details = details;
  }
}

/** Anything thrown, as a BridleError; what is not one already becomes BUG with the original as cause. */
export function toBridleError(thrown: unknown): BridleError {
  if (thrown instanceof BridleError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new BridleError("BUG", { reason }, { cause: thrown });
}

/** What crosses a worker boundary or a queue in place of a BridleError, which structured clone would strip. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
}

export function toErrorData(thrown: unknown): ErrorData {
  const { code, details } = toBridleError(thrown);
  return { code, details };
}

export function fromErrorData(data: ErrorData): BridleError {
  return new BridleError(data.code, data.details);
}
