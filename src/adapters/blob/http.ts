// A web server to read blobs from: what is public, or behind a password.
import { BridleError } from "../../errors/error.js";
import type { BlobInfo, BlobLocation, BlobReader, BlobRequest } from "../../ports/blob-store.js";
import { httpFailure, reasonOf } from "./cloud.js";

const login = "set user and password of the remote in .dvc/config.local";

export async function openHttpStore({ url, options }: BlobLocation): Promise<BlobReader> {
  return new HttpBlobReader(url.replace(/\/+$/, ""), authorization(options));
}

function authorization(options: BlobLocation["options"]): Readonly<Record<string, string>> {
  const { auth, user = "", password = "", custom_auth_header: header } = options;
  if (auth === "custom" && header !== undefined) return { [header]: password };
  if (auth === "basic" || user !== "") {
    return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
  }
  return {};
}

class HttpBlobReader implements BlobReader {
  readonly name: string;
  private readonly base: string;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(base: string, headers: Readonly<Record<string, string>>) {
    const url = new URL(base);
    const credentials =
      url.username === ""
        ? {}
        : authorization({
            user: decodeURIComponent(url.username),
            password: decodeURIComponent(url.password),
          });
    url.username = "";
    url.password = "";
    this.base = url.href.replace(/\/+$/, "");
    this.name = this.base;
    this.headers = { ...credentials, ...headers };
  }

  private async ask(
    method: "HEAD" | "GET",
    key: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const path = key.split("/").map(encodeURIComponent).join("/");
    try {
      return await fetch(`${this.base}/${path}`, {
        method,
        headers: { ...this.headers, ...headers },
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
      const details = { store: this.name, key, reason: reasonOf(inner) };
      throw new BridleError("BLOB_UNAVAILABLE", details, { cause });
    }
  }

  private refusal({ status, statusText }: Response, key: string): BridleError {
    const reason = `${status} ${statusText}`.trim();
    return httpFailure(
      status,
      { store: this.name, key, what: "reading", login, reason },
      undefined,
    );
  }

  async head(key: string, { signal }: BlobRequest = {}): Promise<BlobInfo | undefined> {
    const answer = await this.ask("HEAD", key, {}, signal);
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw this.refusal(answer, key);
    return { key, sizeBytes: Number(answer.headers.get("content-length") ?? 0) };
  }

  async get(
    key: string,
    { startByte = 0, signal }: BlobRequest & { readonly startByte?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const range = startByte > 0 ? { range: `bytes=${startByte}-` } : {};
    // What arrives is counted from a byte of the blob, not of a packed form of it.
    const answer = await this.ask("GET", key, { ...range, "accept-encoding": "identity" }, signal);
    if (answer.status === 416 && startByte > 0) return from(undefined, 0);
    if (!answer.ok) throw this.refusal(answer, key);
    // A server that knows no ranges sends all of it.
    const skip = startByte > 0 && answer.status !== 206 ? startByte : 0;
    return from(answer.body ?? undefined, skip);
  }

  async close(): Promise<void> {
    // Node keeps the connections and ends them by itself.
  }
}

async function* from(
  body: ReadableStream<Uint8Array> | undefined,
  skipBytes: number,
): AsyncIterable<Uint8Array> {
  let skip = skipBytes;
  for await (const piece of body ?? []) {
    const left = piece.subarray(Math.min(skip, piece.length));
    skip -= piece.length - left.length;
    if (left.length > 0) yield left;
  }
}
