// Small servers that speak as S3, Google Cloud Storage, Azure Blob Storage and a web server do, over blobs in memory.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeCloud {
  readonly url: string;
  /** Blobs by bucket and key. */
  readonly buckets: Map<string, Map<string, Buffer>>;
  /** Requests so far, as `METHOD path`. */
  readonly requests: string[];
  /** What the next requests are answered with in place of their answer, in turn; `cut` breaks the connection off. */
  readonly faults: (number | "cut" | { readonly status: number; readonly code: string })[];
  close(): Promise<void>;
}

type Handler = (request: Request) => Answer | Promise<Answer>;

interface Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly buckets: FakeCloud["buckets"];
}

interface Answer {
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const etag = (bytes: Uint8Array) => `"${createHash("md5").update(bytes).digest("hex")}"`;
const escapeXml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

async function start(
  bucket: string,
  handle: Handler,
  errorBody: (code: string, status: number) => Answer["body"],
  faultType = "application/xml",
): Promise<FakeCloud> {
  const buckets: FakeCloud["buckets"] = new Map([[bucket, new Map()]]);
  const requests: string[] = [];
  const faults: FakeCloud["faults"] = [];
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing);
  });
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const url = new URL(incoming.url ?? "/", "http://cloud");
    const method = incoming.method ?? "GET";
    requests.push(`${method} ${incoming.url}`);
    const fault = faults.shift();
    if (fault === "cut") {
      incoming.socket.destroy();
      return;
    }
    const told: Answer =
      fault === undefined
        ? await handle({
            method,
            url,
            headers: incoming.headers,
            body: Buffer.concat(pieces),
            buckets,
          })
        : typeof fault === "number"
          ? { status: fault, body: errorBody("Fault", fault) ?? "" }
          : {
              status: fault.status,
              body: errorBody(fault.code, fault.status) ?? "",
              headers: { "x-ms-error-code": fault.code, "content-type": faultType },
            };
    const body = told.body ?? "";
    outgoing.writeHead(told.status, {
      "content-length": String(Buffer.byteLength(body)),
      ...told.headers,
    });
    outgoing.end(method === "HEAD" ? undefined : body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    buckets,
    requests,
    faults,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Bytes of a blob as `Range` asks for them. */
function ranged(bytes: Buffer, range: string | undefined, headers: Answer["headers"]): Answer {
  const first = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(first)) return { status: 200, body: bytes, headers: { ...headers } };
  if (first >= bytes.length) return { status: 416, headers: { ...headers } };
  const last = Math.min(
    Number(/-(\d+)$/.exec(range ?? "")?.[1] ?? bytes.length - 1),
    bytes.length - 1,
  );
  return {
    status: 206,
    body: bytes.subarray(first, last + 1),
    headers: { ...headers, "content-range": `bytes ${first}-${last}/${bytes.length}` },
  };
}

/** S3: single and multipart uploads, listings in pages of three. */
export async function startFakeS3(bucket = "bucket"): Promise<FakeCloud> {
  const uploads = new Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>();
  const xml = (status: number, body: string): Answer => ({
    status,
    body: `<?xml version="1.0"?>${body}`,
    headers: { "content-type": "application/xml" },
  });
  const errorBody = (code: string) =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  const refuse = (status: number, code: string) => xml(status, errorBody(code).slice(21));
  const handle: Handler = ({ method, url, headers, body, buckets }) => {
    const [, name = "", ...rest] = decodeURIComponent(url.pathname).split("/");
    const blobs = buckets.get(name);
    if (blobs === undefined) return refuse(404, "NoSuchBucket");
    const key = rest.join("/");
    const query = url.searchParams;
    const upload = query.get("uploadId");
    if (method === "POST" && query.has("uploads")) {
      const id = `u${uploads.size}`;
      uploads.set(id, { key, parts: new Map() });
      return xml(
        200,
        `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    if (method === "GET" && query.has("uploads")) {
      const open = [...uploads].map(
        ([id, { key: of }]) => `<Upload><Key>${of}</Key><UploadId>${id}</UploadId></Upload>`,
      );
      return xml(200, `<ListMultipartUploadsResult>${open.join("")}</ListMultipartUploadsResult>`);
    }
    if (upload !== null) {
      const found = uploads.get(upload);
      if (found === undefined) return refuse(404, "NoSuchUpload");
      if (method === "PUT") {
        found.parts.set(Number(query.get("partNumber")), body);
        return { status: 200, headers: { etag: etag(body) } };
      }
      if (method === "GET") {
        const parts = [...found.parts].map(
          ([number, bytes]) =>
            `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag(bytes))}</ETag><Size>${bytes.length}</Size></Part>`,
        );
        return xml(
          200,
          `<ListPartsResult><IsTruncated>false</IsTruncated>${parts.join("")}</ListPartsResult>`,
        );
      }
      const order = [...found.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
      blobs.set(found.key, Buffer.concat(order));
      uploads.delete(upload);
      return xml(
        200,
        "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>",
      );
    }
    if (method === "GET" && query.get("list-type") === "2") {
      const prefix = query.get("prefix") ?? "";
      const all = [...blobs.keys()].filter((each) => each.startsWith(prefix)).sort();
      const from = Number(query.get("continuation-token") ?? 0);
      const page = all.slice(from, from + 3);
      const more = from + 3 < all.length;
      const contents = page.map(
        (each) =>
          `<Contents><Key>${escapeXml(each)}</Key><Size>${blobs.get(each)?.length}</Size></Contents>`,
      );
      const next = more ? `<NextContinuationToken>${from + 3}</NextContinuationToken>` : "";
      return xml(
        200,
        `<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
      );
    }
    if (method === "PUT") {
      const sum = headers["content-md5"];
      if (sum !== undefined && sum !== createHash("md5").update(body).digest("base64"))
        return refuse(400, "BadDigest");
      blobs.set(key, body);
      return { status: 200, headers: { etag: etag(body) } };
    }
    if (method === "DELETE") {
      blobs.delete(key);
      return { status: 204 };
    }
    const bytes = blobs.get(key);
    if (bytes === undefined) return refuse(404, "NoSuchKey");
    return ranged(bytes, headers.range, { etag: etag(bytes) });
  };
  return await start(bucket, handle, errorBody);
}

/** Google Cloud Storage's JSON API. */
export async function startFakeGcs(bucket = "bucket"): Promise<FakeCloud> {
  const sessions = new Map<string, string>();
  const json = (status: number, value: unknown): Answer => ({
    status,
    body: JSON.stringify(value),
    headers: { "content-type": "application/json" },
  });
  const errorBody = (message: string, status: number) =>
    JSON.stringify({ error: { code: status, message, errors: [{ message }] } });
  const refuse = (status: number, message: string) =>
    json(status, { error: { code: status, message, errors: [{ message }] } });
  const handle: Handler = ({ method, url, headers, body, buckets }) => {
    const query = url.searchParams;
    const [, name = ""] = /\/b\/([^/]+)/.exec(url.pathname) ?? [];
    const blobs = buckets.get(name);
    if (blobs === undefined) return refuse(404, "The specified bucket does not exist.");
    const describe = (key: string) => ({
      name: key,
      bucket: name,
      size: String(blobs.get(key)?.length ?? 0),
      generation: "1",
      etag: "x",
      md5Hash: createHash("md5")
        .update(blobs.get(key) ?? "")
        .digest("base64"),
    });
    if (url.pathname.startsWith("/upload/")) {
      if (query.get("uploadType") === "multipart") {
        const boundary = /boundary=(.*)$/.exec(headers["content-type"] ?? "")?.[1] ?? "";
        const key = query.get("name") ?? "";
        blobs.set(key, lastPart(body, boundary));
        return json(200, describe(key));
      }
      const session = query.get("upload_id");
      if (session === null) {
        const id = `s${sessions.size}`;
        sessions.set(id, query.get("name") ?? "");
        return {
          status: 200,
          headers: {
            location: `http://${headers.host}${url.pathname}?uploadType=resumable&upload_id=${id}`,
          },
        };
      }
      const key = sessions.get(session) ?? "";
      blobs.set(key, body);
      return json(200, describe(key));
    }
    const [, encoded] = /\/o\/(.+)$/.exec(url.pathname) ?? [];
    if (encoded === undefined) {
      const prefix = query.get("prefix") ?? "";
      const all = [...blobs.keys()].filter((each) => each.startsWith(prefix)).sort();
      const from = Number(query.get("pageToken") ?? 0);
      const next = from + 3 < all.length ? { nextPageToken: String(from + 3) } : {};
      return json(200, { items: all.slice(from, from + 3).map(describe), ...next });
    }
    const key = decodeURIComponent(encoded);
    const bytes = blobs.get(key);
    if (bytes === undefined) return refuse(404, `No such object: ${name}/${key}`);
    if (method === "DELETE") {
      blobs.delete(key);
      return { status: 204 };
    }
    if (query.get("alt") !== "media") return json(200, describe(key));
    return ranged(bytes, headers.range, { "content-type": "application/octet-stream" });
  };
  return await start(bucket, handle, errorBody, "application/json");
}

/** The bytes of the second part of a two-part body. */
function lastPart(body: Buffer, boundary: string): Buffer {
  const mark = Buffer.from(`--${boundary.replaceAll('"', "")}`);
  const end = body.lastIndexOf(Buffer.from(`\r\n${mark.toString()}--`));
  const second = body.indexOf(mark, body.indexOf(mark) + 1);
  const start = body.indexOf("\r\n\r\n", second) + 4;
  return body.subarray(start, end);
}

/** Azure Blob Storage; the account is `account`. */
export async function startFakeAzure(bucket = "bucket"): Promise<FakeCloud> {
  const blocks = new Map<string, Buffer>();
  const errorBody = (code: string) =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  const refuse = (status: number, code: string): Answer => ({
    status,
    body: errorBody(code),
    headers: { "content-type": "application/xml", "x-ms-error-code": code },
  });
  const handle: Handler = ({ method, url, headers, body, buckets }) => {
    const [, , name = "", ...rest] = decodeURIComponent(url.pathname).split("/");
    const blobs = buckets.get(name);
    if (blobs === undefined) return refuse(404, "ContainerNotFound");
    const key = rest.join("/");
    const query = url.searchParams;
    const comp = query.get("comp");
    if (comp === "list") {
      const prefix = query.get("prefix") ?? "";
      const all = [...blobs.keys()].filter((each) => each.startsWith(prefix)).sort();
      const from = Number(query.get("marker") ?? 0);
      const items = all
        .slice(from, from + 3)
        .map(
          (each) =>
            `<Blob><Name>${escapeXml(each)}</Name><Properties><Content-Length>${blobs.get(each)?.length}</Content-Length></Properties></Blob>`,
        );
      const next = from + 3 < all.length ? String(from + 3) : "";
      return {
        status: 200,
        body: `<?xml version="1.0"?><EnumerationResults><Blobs>${items.join("")}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
        headers: { "content-type": "application/xml" },
      };
    }
    if (method === "GET" && comp === "blocklist") {
      const begun = [...blocks].filter(([name]) => name.startsWith(`${key}\0`));
      if (begun.length === 0) return refuse(404, "BlobNotFound");
      const listed = begun.map(
        ([name, { length }]) =>
          `<Block><Name>${name.slice(key.length + 1)}</Name><Size>${length}</Size></Block>`,
      );
      return {
        status: 200,
        body: `<?xml version="1.0"?><BlockList><UncommittedBlocks>${listed.join("")}</UncommittedBlocks></BlockList>`,
        headers: { "content-type": "application/xml" },
      };
    }
    if (method === "PUT" && comp === "block") {
      blocks.set(`${key}\0${query.get("blockid")}`, body);
      return { status: 201 };
    }
    if (method === "PUT") {
      const ids = [...body.toString("latin1").matchAll(/<Latest>([^<]+)<\/Latest>/g)].map(
        (match) => match[1],
      );
      const whole =
        comp === "blocklist"
          ? Buffer.concat(ids.map((id) => blocks.get(`${key}\0${id}`) ?? Buffer.alloc(0)))
          : body;
      blobs.set(key, whole);
      for (const name of blocks.keys()) if (name.startsWith(`${key}\0`)) blocks.delete(name);
      return { status: 201, headers: { etag: etag(whole) } };
    }
    const bytes = blobs.get(key);
    if (bytes === undefined) return refuse(404, "BlobNotFound");
    if (method === "DELETE") {
      blobs.delete(key);
      return { status: 202 };
    }
    const described = {
      "x-ms-blob-type": "BlockBlob",
      etag: etag(bytes),
      "last-modified": new Date(0).toUTCString(),
    };
    const range = (headers["x-ms-range"] ?? headers.range) as string | undefined;
    if (range !== undefined && bytes.length === 0) return refuse(416, "InvalidRange");
    return ranged(bytes, range, described);
  };
  return await start(bucket, handle, errorBody);
}

/** A web server with files; `secret/` asks for the password `me:pass`, and `plain/` knows no ranges. */
export async function startFakeWeb(): Promise<FakeCloud> {
  const handle: Handler = ({ url, headers, buckets }) => {
    const key = decodeURIComponent(url.pathname).slice(1);
    const needs = `Basic ${Buffer.from("me:pass").toString("base64")}`;
    if (key.startsWith("secret/") && headers.authorization !== needs) return { status: 401 };
    const bytes = buckets.get("bucket")?.get(key);
    if (bytes === undefined) return { status: 404 };
    return key.startsWith("plain/")
      ? { status: 200, body: bytes }
      : ranged(bytes, headers.range, {});
  };
  return await start("bucket", handle, () => "");
}
