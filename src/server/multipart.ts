// Splits a multipart/form-data body into its parts, without copying them; refuses what FastAPI's parser refuses, in its words.
// Source: RFC 7578, RFC 2046 section 5.1, and python-multipart 0.0.34 with Starlette 1.10 for limits and refusals.

export interface FormPart {
  readonly name: string;
  /** Present where the part is a file; may be empty. */
  readonly fileName: string | undefined;
  readonly mediaType: string | undefined;
  readonly charset: string | undefined;
  /** A view of the body. */
  readonly bytes: Buffer;
}

export interface Form {
  readonly parts: readonly FormPart[];
  /** True where the body ends before its last boundary; parts cut off by that are left out. */
  readonly cut: boolean;
}

/** Why a body is no form, in FastAPI's words. */
export interface FormRefusal {
  readonly refusal: string;
}

const invalid: FormRefusal = { refusal: "Invalid multipart data." };
const maxBoundaryBytes = 256;
const maxHeaders = 8;
const maxHeaderBytes = 4096 + 128;
const maxFieldBytes = 1024 * 1024;
const maxPartsOfAKind = 1000;

/** Splits a body by the boundary its Content-Type header names. */
export function parseForm(body: Buffer, contentType: string): Form | FormRefusal {
  const boundary = parseParameters(contentType).parameters.get("boundary");
  if (boundary === undefined) return { refusal: "Missing boundary in multipart." };
  if (Buffer.byteLength(boundary, "latin1") > maxBoundaryBytes) return invalid;
  const delimiter = Buffer.from(`--${boundary}`, "latin1");
  const parts: FormPart[] = [];
  const cut = (): Form => ({ parts, cut: true });
  let files = 0;
  let fields = 0;

  let at = 0;
  if (body[0] === cr || body[0] === lf) {
    at = body.indexOf("-");
    if (at < 0) return cut();
  }
  const head = body.subarray(at, at + delimiter.length);
  if (!head.equals(delimiter.subarray(0, head.length))) return invalid;
  at += delimiter.length;
  const opening = body.toString("latin1", at, at + 2);
  if (opening.length < 2)
    return "\r\n".startsWith(opening) || "--".startsWith(opening) ? cut() : invalid;
  if (opening === "--") return { parts, cut: false };
  if (opening !== "\r\n") return invalid;
  at += 2;

  const separator = Buffer.concat([Buffer.from("\r\n"), delimiter]);
  for (;;) {
    const headers = readHeaders(body, at);
    if (headers === "cut") return cut();
    if (headers === "invalid") return invalid;
    at = headers.end;
    const disposition = parseParameters(headers.values.get("content-disposition") ?? "");
    const name = disposition.parameters.get("name");
    if (name === undefined) {
      return { refusal: 'The Content-Disposition header field "name" must be provided.' };
    }
    const fileName = disposition.parameters.get("filename");
    const kind = fileName === undefined ? "fields" : "files";
    const count = fileName === undefined ? ++fields : ++files;
    if (count > maxPartsOfAKind) {
      return { refusal: `Too many ${kind}. Maximum number of ${kind} is ${maxPartsOfAKind}.` };
    }

    const end = findSeparator(body, separator, at);
    const bytes = body.subarray(at, end?.start ?? body.length);
    if (fileName === undefined && bytes.length > maxFieldBytes) {
      return { refusal: `Part exceeded maximum size of ${maxFieldBytes / 1024}KB.` };
    }
    if (end === undefined) return cut();
    const type = headers.values.get("content-type");
    const parsedType = type === undefined ? undefined : parseParameters(type);
    parts.push({
      name: decodeHeaderText(name),
      fileName: fileName === undefined ? undefined : decodeHeaderText(fileName),
      mediaType: parsedType?.value,
      charset: parsedType?.parameters.get("charset"),
      bytes,
    });
    if (end.last) return { parts, cut: false };
    at = end.after;
  }
}

const [tab, lf, cr, space, hyphen] = [9, 10, 13, 32, 45] as const;
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function readHeaders(
  body: Buffer,
  from: number,
): { values: Map<string, string>; end: number } | "cut" | "invalid" {
  const values = new Map<string, string>();
  let at = from;
  for (let count = 0; ; count += 1) {
    if (at >= body.length) return "cut";
    if (body[at] === cr) {
      if (at + 1 >= body.length) return "cut";
      return body[at + 1] === lf ? { values, end: at + 2 } : "invalid";
    }
    if (count === maxHeaders) return "invalid";
    // One byte more than may be is enough to tell that a header is too long.
    const line = body.subarray(at, at + maxHeaderBytes + 2);
    const colon = line.indexOf(":");
    const stop = line.indexOf("\r", Math.max(0, colon));
    const name = line.toString("latin1", 0, colon < 0 ? line.length : colon);
    if (!headerName.test(name)) return "invalid";
    if (colon < 0 || stop < 0) return line.length > maxHeaderBytes ? "invalid" : "cut";
    if (stop > maxHeaderBytes) return "invalid";
    if (at + stop + 1 >= body.length) return "cut";
    if (line[stop + 1] !== lf) return "invalid";
    values.set(name.toLowerCase(), line.toString("latin1", colon + 1, stop).trim());
    at += stop + 2;
  }
}

/** The next separator that is followed by a line break or by the two hyphens of the end; other likenesses are content. */
function findSeparator(
  body: Buffer,
  separator: Buffer,
  from: number,
): { start: number; after: number; last: boolean } | undefined {
  for (let start = body.indexOf(separator, from); start >= 0; ) {
    const after = start + separator.length;
    let at = after;
    while (body[at] === space || body[at] === tab) at += 1;
    if (body[at] === cr && body[at + 1] === lf) return { start, after: at + 2, last: false };
    if (at === after && body[at] === hyphen && body[at + 1] === hyphen) {
      return { start, after: at + 2, last: true };
    }
    start = body.indexOf(separator, at);
  }
  return undefined;
}

/** Header values are bytes: UTF-8 where they can be, else Latin-1. */
function decodeHeaderText(latin1: string): string {
  const bytes = Buffer.from(latin1, "latin1");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return latin1;
  }
}

/**
 * Reads a header value such as `form-data; name="file"; filename="a.txt"`. Names and the value are lower-cased;
 * extended parameters (`filename*`) are left out, as RFC 7578 forbids them in forms.
 */
export function parseParameters(header: string): {
  readonly value: string;
  readonly parameters: ReadonlyMap<string, string>;
} {
  const [value = "", ...segments] = splitOutsideQuotes(header);
  const parameters = new Map<string, string>();
  for (const segment of segments) {
    const equals = segment.indexOf("=");
    const name = (equals < 0 ? segment : segment.slice(0, equals)).trim().toLowerCase();
    let text = equals < 0 ? "" : segment.slice(equals + 1).trim();
    if (name.includes("*")) continue;
    if (/^".*"$/s.test(text) && text.length >= 2) {
      text = text.slice(1, -1).replaceAll("\\\\", "\\").replaceAll('\\"', '"');
    }
    // Old browsers sent the whole path of a file.
    if (name === "filename" && /^(.:\\|\\\\)/s.test(text)) text = text.split("\\").at(-1) ?? "";
    parameters.set(name, text);
  }
  return { value: value.trim().toLowerCase(), parameters };
}

function splitOutsideQuotes(header: string): string[] {
  const segments: string[] = [];
  let quoted = false;
  let begin = 0;
  for (let at = 0; at < header.length; at += 1) {
    const letter = header[at];
    if (quoted && letter === "\\") at += 1;
    else if (letter === '"') quoted = !quoted;
    else if (letter === ";" && !quoted) {
      segments.push(header.slice(begin, at));
      begin = at + 1;
    }
  }
  segments.push(header.slice(begin));
  return segments;
}
