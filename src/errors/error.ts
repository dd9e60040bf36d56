// The one error class: a code from the table, with the values that fill its message and hint.
import { codes, type ErrorCode, type ErrorKind } from "./codes.js";

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Values come from files and requests: as much of one as a reader of the message needs, in characters. */
const longestShown = 1000;

/** A value as it may stand on a terminal: line ends and tabs stay, other control characters become visible. */
function shown(value: string | number | boolean | null): string {
  const text = String(value).slice(0, longestShown + 1);
  const visible = text.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return visible.length > longestShown ? `${visible.slice(0, longestShown)}…` : visible;
}

/** Fills `{name}` in a template from details; a name without a value stays visible as `{name}`. */
function fill(template: string, details: ErrorDetails): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = details[name];
    return value === undefined ? whole : shown(value);
  });
}

/** An error a user can act on. `code` is a row of the table in codes.ts; `hint` says what to do next. */
export class BridleError extends Error {
  override readonly name = "BridleError";
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly hint: string;
  readonly details: ErrorDetails;

  /** @param options `hint` takes the place of the row's where more is known of what to do next than the table can tell */
  constructor(
    code: ErrorCode,
    details: ErrorDetails = {},
    { hint, ...options }: { cause?: unknown; hint?: string } = {},
  ) {
    const row = codes[code];
    super(fill(row.message, details), options);
    this.code = code;
    this.kind = row.kind;
    this.hint = hint ?? fill(row.hint, details);
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
