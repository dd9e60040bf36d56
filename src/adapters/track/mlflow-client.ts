// MLflow's REST API as far as runs and models need it: one call, one error, and files through the server's own store.
// Source: https://mlflow.org/docs/latest/rest-api.html
import { type ClientRequest, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { pipeline } from "node:stream/promises";
import { BridleError } from "../../errors/error.js";

export interface MlflowPlace {
  /** The server's address, such as `http://localhost:5000`. */
  readonly url: string;
  /** MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, as MLflow's own client reads them. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Answers that are no failure of a call, by MLflow's own codes. */
export type MlflowCode = "RESOURCE_DOES_NOT_EXIST" | "RESOURCE_ALREADY_EXISTS";

export interface MlflowClient {
  /** The address without a password in it. */
  readonly name: string;
  /**
   * Calls a method such as `runs/create`; what a GET asks goes into the address.
   * @param allowed codes for which undefined is given back
   * @throws SINK_UNAVAILABLE, SINK_DENIED, SINK_REFUSED
   */
  call<Answer>(
    method: "GET" | "POST" | "PATCH" | "DELETE",
    path: string,
    asked: object,
    allowed?: readonly MlflowCode[],
  ): Promise<Answer | undefined>;
  /** Puts a file into a folder of the server's own store; see proxiedPath. @throws as call */
  putFile(
    folder: string,
    name: string,
    sizeBytes: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<void>;
  /** A file of the server's own store. @throws as call */
  getFile(folder: string, name: string): Promise<Uint8Array>;
  /** Ends what is under way; nobody waits for it any more. */
  close(): void;
}

const callMs = 30_000;
/** Nothing of a file went through for so long. */
const silentMs = 60_000;

export function createMlflowClient({ url, env }: MlflowPlace): MlflowClient {
  const base = addressOf(url);
  const headers = authorization(base, env);
  base.username = "";
  base.password = "";
  const root = base.href.replace(/\/+$/, "");
  const closing = new AbortController();
  return {
    name: root,
    async call<Answer>(
      method: "GET" | "POST" | "PATCH" | "DELETE",
      path: string,
      asked: object,
      allowed: readonly MlflowCode[] = [],
    ) {
      const target = new URL(`${root}/api/2.0/mlflow/${path}`);
      if (method === "GET") {
        for (const [key, value] of Object.entries(asked)) target.searchParams.set(key, value);
      }
      let response: Response;
      let text: string;
      try {
        response = await fetch(target, {
          method,
          headers: { ...headers, "content-type": "application/json" },
          ...(method !== "GET" && { body: JSON.stringify(asked) }),
          redirect: "error",
          signal: AbortSignal.any([closing.signal, AbortSignal.timeout(callMs)]),
        });
        text = await response.text();
      } catch (cause) {
        throw unavailable(root, cause);
      }
      const answer = parse(text);
      if (response.ok && answer !== undefined) return answer as Answer;
      const { error_code: code, message } = (answer ?? {}) as Record<string, string | undefined>;
      if (allowed.some((each) => each === code)) return undefined;
      throw failureOf(root, response.status, `${code ?? ""} ${message ?? text}`.trim(), path);
    },
    async putFile(folder, name, sizeBytes, bytes) {
      const target = fileAddress(root, folder, name);
      const { status, text } = await put(root, {
        target,
        headers,
        sizeBytes,
        bytes,
        signal: closing.signal,
      });
      if (status >= 300) throw failureOf(root, status, text.trim(), `the file ${name}`);
    },
    async getFile(folder, name) {
      let status: number;
      let bytes: ArrayBuffer;
      try {
        const response = await fetch(fileAddress(root, folder, name), {
          ...{ headers, redirect: "error" as const },
          signal: AbortSignal.any([closing.signal, AbortSignal.timeout(silentMs)]),
        });
        status = response.status;
        bytes = await response.arrayBuffer();
      } catch (cause) {
        throw unavailable(root, cause);
      }
      if (status === 200) return new Uint8Array(bytes);
      throw failureOf(root, status, Buffer.from(bytes).toString("utf8"), `the file ${name}`);
    },
    close: () => closing.abort(new Error("nobody waits for it any more")),
  };
}

/** @throws SINK_REFUSED for a name that leads elsewhere */
function fileAddress(root: string, folder: string, name: string): URL {
  if (name.split("/").some((part) => ["", ".", ".."].includes(part))) {
    const reason = "its name is no path below the run's folder";
    const what = `the file ${JSON.stringify(name)}`;
    throw new BridleError("SINK_REFUSED", { sink: `MLflow at ${root}`, what, reason });
  }
  const path = [...folder.split("/"), ...name.split("/")].map(encodeURIComponent).join("/");
  return new URL(`${root}/api/2.0/mlflow-artifacts/artifacts/${path}`);
}

/** The path below which a server keeps a run's files itself; undefined where clients write to a store of their own. */
export function proxiedPath(artifactUri: string): string | undefined {
  return /^mlflow-artifacts:(?:\/\/[^/]*)?\/*(.*?)\/*$/.exec(artifactUri)?.[1];
}

/** @throws SINK_UNKNOWN */
function addressOf(url: string): URL {
  let base: URL;
  try {
    base = new URL(url);
  } catch {
    throw notAnAddress(url);
  }
  if (base.protocol !== "http:" && base.protocol !== "https:") throw notAnAddress(url);
  base.search = "";
  base.hash = "";
  return base;
}

function notAnAddress(url: string): BridleError {
  const shown = url.replace(/\/\/[^/@]*@/, "//…@");
  const reason = `${JSON.stringify(shown)} is no address of an MLflow server, such as http://localhost:5000`;
  return new BridleError("SINK_UNKNOWN", { sink: "mlflow", reason });
}

function authorization(base: URL, env: MlflowPlace["env"]): Readonly<Record<string, string>> {
  const token = env.MLFLOW_TRACKING_TOKEN;
  if (token) return { authorization: `Bearer ${token}` };
  const user = decodeURIComponent(base.username) || env.MLFLOW_TRACKING_USERNAME;
  const password = decodeURIComponent(base.password) || env.MLFLOW_TRACKING_PASSWORD || "";
  if (!user) return {};
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unavailable(server: string, cause: unknown): BridleError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = inner instanceof Error ? inner.message || inner.name : String(inner);
  return new BridleError("SINK_UNAVAILABLE", { sink: `MLflow at ${server}`, reason }, { cause });
}

function failureOf(server: string, status: number, said: string, what: string): BridleError {
  const sink = `MLflow at ${server}`;
  const reason = `${status} ${said.slice(0, 500)}`;
  if (status === 401 || status === 403) return new BridleError("SINK_DENIED", { sink, reason });
  // A request that came too early, too late or too often may go through another time.
  const mayPass = status >= 500 || status === 408 || status === 425 || status === 429;
  // So does a proxy whose server is away, and whoever else answers at that address.
  if (mayPass || (status === 404 && !said.startsWith("RESOURCE_"))) {
    return new BridleError("SINK_UNAVAILABLE", { sink, reason });
  }
  return new BridleError("SINK_REFUSED", { sink, what, reason });
}

interface Upload {
  readonly target: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** A file in one request of known length; not every server takes one in chunks. @throws SINK_UNAVAILABLE */
async function put(
  server: string,
  { target, headers, sizeBytes, bytes, signal }: Upload,
): Promise<{ readonly status: number; readonly text: string }> {
  const send = target.protocol === "https:" ? requestHttps : requestHttp;
  const request: ClientRequest = send(target, {
    method: "PUT",
    headers: {
      ...headers,
      "content-type": "application/octet-stream",
      "content-length": String(sizeBytes),
    },
    timeout: silentMs,
    signal,
  });
  request.on("timeout", () => request.destroy(new Error(`silent for ${silentMs / 1000} s`)));
  const answered = new Promise<{ status: number; text: string }>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
  });
  // A server may answer, and refuse, before it has read everything.
  const written = pipeline(bytes, request);
  try {
    return await Promise.race([answered, written.then(() => answered)]);
  } catch (cause) {
    request.destroy();
    throw cause instanceof BridleError ? cause : unavailable(server, cause);
  } finally {
    answered.catch(() => {});
    written.catch(() => {});
  }
}
