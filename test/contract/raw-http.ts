// Speaks HTTP over a bare socket, so that tests can send what no client library would.
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Uint8Array | string;
}

/** Opens a connection. */
export async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject);
  });
  socket.on("error", () => {});
  return socket;
}

/** Everything the server sends until it closes the connection. */
export async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
  await new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    socket.once("close", () => resolve());
  });
  return Buffer.concat(chunks);
}

/** Sends one request on a connection of its own and reads its answer. */
export async function request(port: number, one: RawRequest): Promise<RawAnswer> {
  const socket = await open(port);
  const body = Buffer.from(one.body ?? "");
  const method = one.method ?? "POST";
  const head = [
    `${method} ${one.path} HTTP/1.1`,
    "Host: service.test",
    "Connection: close",
    ...(one.headers ?? []).map(([name, value]) => `${name}: ${value}`),
  ];
  if (body.length > 0 || ["POST", "PUT", "PATCH"].includes(method)) {
    head.push(`Content-Length: ${body.length}`);
  }
  const answer = readToEnd(socket);
  socket.write(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), body]));
  return parseAnswer(await answer);
}

export function parseAnswer(bytes: Buffer): RawAnswer {
  const cut = bytes.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, cut).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const raw = bytes.subarray(cut + 4);
  const body = headers["transfer-encoding"] === "chunked" ? joinChunks(raw) : raw;
  return { status: Number(statusLine.split(" ")[1]), headers, body: body.toString("utf8") };
}

function joinChunks(raw: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < raw.length; ) {
    const lineEnd = raw.indexOf("\r\n", at);
    const length = Number.parseInt(raw.toString("latin1", at, lineEnd), 16);
    if (!(length > 0)) break;
    chunks.push(raw.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(chunks);
}
