// The answers FastAPI gives to bad input, byte for byte, for the two original routes.
// Source: FastAPI 0.165 with pydantic 2.14; test/golden/fastapi.json holds the recordings.
import { kinds } from "../../errors/codes.js";
import type { BridleError } from "../../errors/error.js";
import { hasTooMuchStructure } from "../json-size.js";
import { type PythonJson, readPythonJson } from "./python-json.js";

/** An answer ready to be sent as application/json. */
export interface JsonAnswer {
  readonly status: number;
  readonly body: string;
}

interface Fault {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  /** JSON text. */
  readonly input: string;
  /** JSON text. */
  readonly ctx?: string;
}

function unprocessable({ type, loc, msg, input, ctx }: Fault): JsonAnswer {
  const members = [
    `"type":${JSON.stringify(type)}`,
    `"loc":${JSON.stringify(loc)}`,
    `"msg":${JSON.stringify(msg)}`,
    `"input":${input}`,
    ...(ctx === undefined ? [] : [`"ctx":${ctx}`]),
  ];
  return { status: 422, body: `{"detail":[{${members.join(",")}}]}` };
}

/** What FastAPI answers where it raises an HTTPException. */
export function detail(status: number, text: string): JsonAnswer {
  return { status, body: JSON.stringify({ detail: text }) };
}

export const missing = (loc: readonly string[], input = "null"): JsonAnswer =>
  unprocessable({ type: "missing", loc, msg: "Field required", input });

/** The answer to text that is blank. */
export function tooShort(text: string): JsonAnswer {
  return unprocessable({
    type: "string_too_short",
    loc: ["body", "content"],
    msg: "String should have at least 1 character",
    input: JSON.stringify(text),
    ctx: '{"min_length":1}',
  });
}

/** The answer to a plain form field where a file should be. */
export function notAFile(value: string): JsonAnswer {
  return unprocessable({
    type: "value_error",
    loc: ["body", "file"],
    msg: "Value error, Expected UploadFile, received: <class 'str'>",
    input: JSON.stringify(value),
    ctx: '{"error":{}}',
  });
}

const notAnObject = (input: string): JsonAnswer =>
  unprocessable({
    type: "model_attributes_type",
    loc: ["body"],
    msg: "Input should be a valid dictionary or object to extract fields from",
    input,
  });

/** Blank as pydantic's strip_whitespace sees it. */
export function isBlank(text: string): boolean {
  return /^\p{White_Space}*$/u.test(text);
}

/** Whether FastAPI would parse a body of this type as JSON. */
function isJsonType(contentType: string | undefined): boolean {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const [main, subtype = "", ...more] = type.split("/");
  if (more.length > 0 || main !== "application") return false;
  return subtype === "json" || subtype.endsWith("+json");
}

/** Takes the field `content` from the body of POST /bert, or says what FastAPI says where it cannot. */
export function readContent(
  bytes: Buffer,
  contentType: string | undefined,
): { readonly content: string } | { readonly answer: JsonAnswer } {
  if (bytes.length === 0) return { answer: missing(["body"]) };
  if (!isJsonType(contentType)) {
    return { answer: notAnObject(JSON.stringify(bytes.toString("utf8"))) };
  }
  const quick = readQuickly(bytes);
  if (quick !== undefined) return isBlank(quick) ? { answer: tooShort(quick) } : { content: quick };
  const reading = readPythonJson(bytes);
  if (reading === undefined) return { answer: detail(400, "There was an error parsing the body") };
  if ("fault" in reading) {
    const { reason, position } = reading.fault;
    const fault = {
      type: "json_invalid",
      loc: ["body", position],
      msg: "JSON decode error",
      input: "{}",
      ctx: JSON.stringify({ error: reason }),
    };
    return { answer: unprocessable(fault) };
  }
  return contentOf(reading.value);
}

function contentOf(value: PythonJson): { content: string } | { answer: JsonAnswer } {
  if (value.type !== "object") return { answer: notAnObject(value.json) };
  const content = value.entries.get("content");
  if (content === undefined) {
    return { answer: missing(["body", "content"], value.json) };
  }
  if (content.type !== "string") {
    const fault = {
      type: "string_type",
      loc: ["body", "content"],
      msg: "Input should be a valid string",
      input: content.json,
    };
    return { answer: unprocessable(fault) };
  }
  return isBlank(content.value) ? { answer: tooShort(content.value) } : { content: content.value };
}

/** The content of a body that is in order, which nearly all are; undefined for every other. */
function readQuickly(bytes: Buffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (hasTooMuchStructure(text)) return undefined;
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, "content"))
      return undefined;
    const { content } = value as { content: unknown };
    return typeof content === "string" ? content : undefined;
  } catch {
    return undefined;
  }
}

/**
 * An error of Bridle's in FastAPI's shape: faults of the input as validation faults, all others as FastAPI's
 * HTTPException puts them.
 * @param message what happened and what to do, for people
 */
export function asFastApi(error: BridleError, message: string, path: string): JsonAnswer {
  if (error.kind !== "invalid") return detail(kinds[error.kind].status, message);
  return unprocessable({
    type: error.code.toLowerCase(),
    loc: locationOf(error, path),
    msg: message,
    input: "null",
    ctx: JSON.stringify({ code: error.code }),
  });
}

function locationOf(error: BridleError, path: string): string[] {
  if (error.code === "INVALID_PARAMETER") return ["header", "x-timeout-ms"];
  if (error.code.startsWith("BODY_")) return ["body"];
  return ["body", path.startsWith("/bert-file") ? "file" : "content"];
}
