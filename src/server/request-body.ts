// Reads request bodies within bounds of size, time and memory, without reading what will be refused.
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { BridleError } from "../errors/error.js";
import type { RequestContext, ServerContext } from "./context.js";
import { findJsonFault } from "./fastapi/python-json.js";
import { hasTooMuchStructure, maxStructure } from "./json-size.js";
import { abortError } from "./request-scope.js";

/** How long, and for how many bytes, a refused body is read on and thrown away, so that its sender sees the answer. */
const lingerMs = 5000;
const lingerBytes = 64_000_000;
/** Levels of nesting that a JSON body may have. */
const maxJsonDepth = 64;

/**
 * Hands a body's chunks on as they come.
 * @throws BODY_TOO_LARGE (at once where Content-Length says so), BODY_STALLED, BODY_CUT, TOO_MUCH_IN_FLIGHT,
 * DEADLINE_EXCEEDED, CANCELLED, or what `take` throws
 */
export async function readChunks(
  server: ServerContext,
  c: RequestContext,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const { incoming, outgoing } = c.env;
  const { maxBodyBytes: limit, bodyIdleMs } = server.config;
  const scope = c.var.scope;
  const tooLarge = () => new BridleError("BODY_TOO_LARGE", { limit });
  if (Number(incoming.headers["content-length"] ?? 0) > limit) throw tooLarge();
  if (scope.signal.aborted) throw abortError(scope);
  if (incoming.headers.expect?.toLowerCase() === "100-continue") outgoing.writeContinue();

  let held = 0;
  scope.onEnd(() => server.admission.release(held));

  await new Promise<void>((resolve, reject) => {
    const idle = setTimeout(
      () => settle(new BridleError("BODY_STALLED", { timeoutMs: bodyIdleMs })),
      bodyIdleMs,
    );
    const settle = (failure?: unknown): void => {
      clearTimeout(idle);
      incoming.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      scope.signal.removeEventListener("abort", onAbort);
      if (failure === undefined) {
        resolve();
      } else {
        incoming.pause();
        reject(failure);
      }
    };
    const onData = (chunk: Buffer): void => {
      idle.refresh();
      scope.requestBytes += chunk.length;
      try {
        if (scope.requestBytes > limit) throw tooLarge();
        server.admission.hold(chunk.length);
        held += chunk.length;
        take(chunk);
      } catch (refusal) {
        settle(refusal);
      }
    };
    const onEnd = (): void => settle();
    const onClose = (): void => settle(new BridleError("BODY_CUT"));
    const onAbort = (): void => settle(abortError(scope));
    incoming.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
    scope.signal.addEventListener("abort", onAbort, { once: true });
    if (incoming.readableEnded) onEnd();
    else if (incoming.destroyed) onClose();
  });
}

/** Reads a whole body; see readChunks for what it throws. */
export async function readBytes(server: ServerContext, c: RequestContext): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await readChunks(server, c, (chunk) => void chunks.push(chunk));
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** The type of a Content-Type header in lower case, without its parameters; undefined where there is none. */
export function mediaType(incoming: IncomingMessage): string | undefined {
  return incoming.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
}

/** A body that claims a content coding is refused: what is compressed could be of any size. */
export function refuseContentEncoding(incoming: IncomingMessage): void {
  const encoding = incoming.headers["content-encoding"]?.trim().toLowerCase();
  if (encoding === undefined || encoding === "" || encoding === "identity") return;
  throw new BridleError("CONTENT_ENCODING_UNSUPPORTED", { encoding });
}

/**
 * Reads a JSON body. The media type must be application/json or end in +json, the text UTF-8.
 * @throws MEDIA_TYPE_UNSUPPORTED, CONTENT_ENCODING_UNSUPPORTED, BODY_MISSING, BODY_NOT_UTF8, JSON_TOO_LONG,
 * JSON_INVALID, JSON_TOO_DEEP, and what readChunks throws
 */
export async function readJson(server: ServerContext, c: RequestContext): Promise<unknown> {
  const { incoming } = c.env;
  const type = mediaType(incoming);
  if (type === undefined || !/^application\/(json|[^/\s]+\+json)$/.test(type)) {
    throw new BridleError("MEDIA_TYPE_UNSUPPORTED", {
      mediaType: type ?? "nothing",
      expected: "application/json",
    });
  }
  refuseContentEncoding(incoming);
  return parseJson(await readBytes(server, c));
}

/** @throws BODY_MISSING, BODY_NOT_UTF8, JSON_TOO_LONG, JSON_INVALID, JSON_TOO_DEEP */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw new BridleError("BODY_MISSING", { expected: "a JSON object" });
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new BridleError("BODY_NOT_UTF8", { offset: firstInvalidByte(bytes) });
  }
  if (hasTooMuchStructure(text)) throw new BridleError("JSON_TOO_LONG", { limit: maxStructure });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw jsonFault(text);
  }
  if (isDeeperThan(value, maxJsonDepth)) {
    throw new BridleError("JSON_TOO_DEEP", { limit: maxJsonDepth });
  }
  return value;
}

/** Offset of the first byte at which no UTF-8 character begins or goes on. */
function firstInvalidByte(bytes: Uint8Array): number {
  const chunkBytes = 65_536;
  let at = 0;
  for (;;) {
    let end = Math.min(at + chunkBytes, bytes.length);
    // A chunk ends before a character's first byte, or it would be invalid by its own cut.
    while (end < bytes.length && end > at + 1 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
    if (!isUtf8(bytes.subarray(at, end))) break;
    at = end;
  }
  for (;;) {
    const length = [1, 2, 3, 4].find((size) => isUtf8(bytes.subarray(at, at + size)));
    if (length === undefined) return at;
    at += length;
  }
}

/** Says where JSON is broken without quoting it. */
function jsonFault(text: string): BridleError {
  const fault = findJsonFault(text);
  if (!fault) return new BridleError("JSON_TOO_DEEP", { limit: maxJsonDepth });
  const { reason, position } = fault;
  return new BridleError("JSON_INVALID", { reason, ...place(text, unitIndex(text, position)) });
}

/** UTF-16 index of the nth code point. */
function unitIndex(text: string, position: number): number {
  let index = 0;
  for (let seen = 0; seen < position && index < text.length; seen += 1) {
    index += text.codePointAt(index)! > 0xffff ? 2 : 1;
  }
  return index;
}

function place(text: string, index: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < index; at = text.indexOf("\n", at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  return { line, column: index - lineStart + 1 };
}

function isDeeperThan(value: unknown, limit: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (limit === 0) return true;
  const items = Array.isArray(value) ? value : Object.values(value);
  return items.some((item) => isDeeperThan(item, limit - 1));
}

/**
 * After an answer to a request whose body was not read to its end: reads a little on, so that the sender gets to see
 * the answer instead of a reset connection, then closes.
 */
export function lingerAfter(incoming: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.once("finish", () => {
    if (incoming.complete || incoming.destroyed) return;
    let seen = 0;
    const close = (): void => {
      clearTimeout(timer);
      incoming.socket.destroy();
    };
    const timer = setTimeout(close, lingerMs);
    timer.unref();
    incoming.on("data", (chunk: Buffer) => {
      seen += chunk.length;
      if (seen > lingerBytes) close();
    });
    incoming.once("end", () => clearTimeout(timer));
    incoming.once("close", () => clearTimeout(timer));
    incoming.resume();
  });
}
