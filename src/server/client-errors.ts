// Answers what is no HTTP, or not all of it: malformed requests, oversized headers, requests that never end.
import { randomUUID } from "node:crypto";
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { ErrorCode } from "../errors/codes.js";
import { BridleError } from "../errors/error.js";
import { toProblem } from "./error-answer.js";

/** Rows of the error table for the codes of Node's HTTP parser; every other code is a malformed request. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "REQUEST_STALLED",
  HPE_HEADER_OVERFLOW: "HEADERS_TOO_LARGE",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "HEADERS_TOO_LARGE",
  HPE_INVALID_EOF_STATE: "BODY_CUT",
};

/**
 * Writes an answer onto a connection whose request Node could not parse, and closes it.
 * @param outgoing the answer in progress on that connection, if a request before or around the fault has one
 */
export function answerUnparsed(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  outgoing: ServerResponse | undefined,
): void {
  if (!socket.writable || error.code === "ECONNRESET" || outgoing?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, body } = problemOf(codes[error.code ?? ""] ?? "REQUEST_MALFORMED");
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "",
    body,
  ];
  socket.end(lines.join("\r\n"), () => socket.destroy());
}

/** The answer to a request whose target or Host header is no address. */
export function answerMalformed(): Response {
  const { status, body } = problemOf("REQUEST_MALFORMED");
  return new Response(body, { status, headers: { "content-type": "application/problem+json" } });
}

function problemOf(code: ErrorCode): { status: number; body: string } {
  const problem = toProblem(new BridleError(code), randomUUID());
  return { status: problem.status, body: JSON.stringify(problem) };
}
