// Everything bad that may be sent, against the service as it is served: an error that says what to do, or a right answer.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { compose, type Service } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import {
  makeDocx,
  makeOle,
  makeOnePagePdf,
  makePdfBomb,
  makePng,
  makeRawZip,
  makeScannedPdf,
  pdfStream,
  wordParagraph,
  wordXml,
} from "../support/made-files.js";
import { request } from "./raw-http.js";

const sentences = [
  "The harbour of Ribe silted up in the seventeenth century.",
  "Ships then unloaded on the island of Fanø.",
  "The town lost its trade and half of its people within two generations.",
  "Dr. Holm, who wrote its history, blames the dikes.",
  "Today the streets draw more visitors each summer than the harbour ever drew ships.",
];
const text = sentences.join(" ");

let service: Service;
let server: RunningServer;
beforeAll(async () => {
  const config = resolveServeConfig({ port: 0, logLevel: "silent" }, {});
  service = await compose(config);
  server = await startServer(config, service);
  await server.ready;
});
afterAll(async () => {
  await server.close();
  await service.close();
});
afterEach(async () => {
  const response = await postJson("/bert", { content: text });
  expect(response.status).toBe(200);
});

function postJson(path: string, body: unknown): Promise<Response> {
  return fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function read(response: Response): Promise<Answer> {
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Sends a file to both routes that take one: [the original's answer, the native one's]. */
async function upload(bytes: Uint8Array | string, name: string): Promise<[Answer, Answer]> {
  const send = async (path: string): Promise<Answer> => {
    const form = new FormData();
    form.set("file", new Blob([typeof bytes === "string" ? bytes : new Uint8Array(bytes)]), name);
    return await read(await fetch(server.url + path, { method: "POST", body: form }));
  };
  return [await send("/bert-file/"), await send("/v1/documents:extract")];
}

describe("text", () => {
  it.each(["", " ", "\n\t\r ", "\u00a0\u3000\u2003", "\u200b\ufeff"])(
    "blank: %j",
    async (blank) => {
      const original = await read(await postJson("/bert", { content: blank }));
      expect(original.status).toBe(422);
      expect(original.body).toMatchObject({
        detail: [{ type: "string_too_short", loc: ["body", "content"], input: blank }],
      });
      const native = await read(await postJson("/v1/summaries", { document: blank }));
      expect(native).toMatchObject({ status: 400, body: { code: "EMPTY_TEXT" } });
      const hub = await read(await postJson("/models/extractive", { inputs: blank }));
      expect(hub).toMatchObject({ status: 400, body: { code: "EMPTY_TEXT" } });
    },
  );

  it("of 20 MB is summarized", async () => {
    const paragraph = (n: number) => `${sentences.join(` Then, in year ${n}, `)}\n\n`;
    let document = "";
    for (let n = 0; document.length < 20_000_000; n += 1) document += paragraph(n);
    const answer = await read(
      await postJson("/v1/summaries", { document, parameters: { sentences: 3 } }),
    );
    expect(answer.status).toBe(200);
    const { sources, usage } = answer.body as {
      sources: { start: number; end: number }[];
      usage: { inputTokens: number; usedTokens: number };
    };
    expect(sources).toHaveLength(3);
    expect(usage.usedTokens).toBe(usage.inputTokens);
    expect(usage.inputTokens).toBeGreaterThan(3_000_000);
  });

  it("of one word of 1 MB is answered", async () => {
    const answer = await read(await postJson("/bert", { content: "x".repeat(1_000_000) }));
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ usage: { chunks: expect.any(Number) }, truncated: false });
  });

  it("of lone surrogates and controls is answered", async () => {
    const answer = await read(
      await postJson("/v1/summaries", { document: "A \ud800 b \u0000 c. D \udfff e." }),
    );
    expect(answer.status).toBe(200);
  });
});

describe("a file", () => {
  it.each([
    ["UTF-8", Buffer.from(text)],
    ["UTF-8 with byte order mark", Buffer.from(`\ufeff${text}`)],
    ["UTF-16 LE with byte order mark", Buffer.from(`\ufeff${text}`, "utf16le")],
    ["UTF-16 BE with byte order mark", Buffer.from(`\ufeff${text}`, "utf16le").swap16()],
    ["UTF-16 LE without", Buffer.from(text, "utf16le")],
    ["Latin-1", Buffer.from(text, "latin1")],
  ])("in %s is read", async (_, bytes) => {
    const [original, native] = await upload(bytes, "text.txt");
    expect(original.status).toBe(200);
    expect(original.body.summary).toMatch(/harbour|trade|streets|Ribe/);
    expect(native).toMatchObject({ status: 200, body: { text, format: "txt" } });
  });

  it.each([
    ["a byte that is no UTF-8", [0xff], "Größe: \ufffd Maß.", /^1 byte is not UTF-8/],
    // As many odd bytes as good characters: what it was is anybody's guess, and is said to be one.
    ["many", [0xff, 0xfe, 0x80], "GrÃ¶ÃŸe: ÿþ€ MaÃŸ.", /guessed to be windows-1252/],
  ])("with %s is read, with a warning", async (_, odd, read, warning) => {
    const bytes = Buffer.concat([
      Buffer.from(`${text} Größe: `),
      Buffer.from(odd),
      Buffer.from(" Maß."),
    ]);
    const [original, native] = await upload(bytes, "text.txt");
    for (const { status, body } of [original, native]) {
      expect(status).toBe(200);
      expect(body.warnings).toEqual([expect.stringMatching(warning)]);
    }
    expect(native.body.text).toContain(read);
  });

  it.each([
    ["empty", "", "text.txt", 422, "string_too_short", 400, "EMPTY_TEXT"],
    ["blank", " \n ", "text.txt", 422, "string_too_short", 400, "EMPTY_TEXT"],
    [
      "a picture posing as text",
      makePng(40, 40),
      "text.txt",
      415,
      undefined,
      415,
      "UNSUPPORTED_FILE_TYPE",
    ],
    ["noise posing as text", noise(5000), "text.txt", 415, undefined, 415, undefined],
    ["noise posing as a PDF", noise(5000), "text.pdf", 422, "file_damaged", 400, "FILE_DAMAGED"],
    [
      "a program",
      Buffer.from(`\x7fELF${"\0".repeat(500)}`, "latin1"),
      "notes.txt",
      415,
      undefined,
      415,
      "UNSUPPORTED_FILE_TYPE",
    ],
    [
      "a zip that is no docx",
      makeRawZip([{ name: "a.txt", data: Buffer.from(text) }]),
      "text.docx",
      415,
      undefined,
      415,
      "UNSUPPORTED_FILE_TYPE",
    ],
    [
      "a docx behind a password",
      makeOle("EncryptedPackage"),
      "text.docx",
      422,
      "file_encrypted",
      400,
      "FILE_ENCRYPTED",
    ],
    [
      "a PDF behind a password",
      encryptedPdf(),
      "text.pdf",
      422,
      "file_encrypted",
      400,
      "FILE_ENCRYPTED",
    ],
    [
      "a broken PDF",
      Buffer.from("%PDF-1.7\nand no more"),
      "text.pdf",
      422,
      "file_damaged",
      400,
      "FILE_DAMAGED",
    ],
    [
      "a PDF that unpacks to 300 MB",
      makePdfBomb(300, 1),
      "text.pdf",
      413,
      undefined,
      413,
      "FILE_UNPACKS_TOO_LARGE",
    ],
  ])("%s is refused", async (_, bytes, name, status, type, nativeStatus, code) => {
    const [original, native] = await upload(bytes, name);
    expect(original.status).toBe(status);
    if (type !== undefined) expect(original.body).toMatchObject({ detail: [{ type }] });
    else expect(original.body.detail).toMatch(/\w+\. \w+/);
    expect(native.status).toBe(nativeStatus);
    if (code !== undefined) expect(native.body.code).toBe(code);
    expect(native.body.hint).toMatch(/\w/);
  });

  it("that is a zip bomb of a docx is refused", async () => {
    const [before = "", after = ""] = wordXml(wordParagraph("…")).split("…");
    const data = Buffer.concat([
      Buffer.from(before),
      Buffer.alloc(200_000_000, "x"),
      Buffer.from(after),
    ]);
    const bomb = makeRawZip([{ name: "word/document.xml", data }]);
    expect(bomb.length).toBeLessThan(1_000_000);
    const [original, native] = await upload(bomb, "bomb.docx");
    expect(original.status).toBe(413);
    expect(native).toMatchObject({ status: 413, body: { code: "FILE_UNPACKS_TOO_LARGE" } });
  });

  it("that is a scanned PDF is refused, saying why", async () => {
    const [original, native] = await upload(await makeScannedPdf(), "scan.pdf");
    expect(original).toMatchObject({
      status: 422,
      body: { detail: [{ type: "no_text_layer", loc: ["body", "file"] }] },
    });
    expect(native).toMatchObject({ status: 400, body: { code: "NO_TEXT_LAYER" } });
  });

  it("is read as what it is, whatever it is called", async () => {
    const docx = await makeDocx(sentences.map((sentence) => wordParagraph(sentence)).join(""));
    const [original, native] = await upload(docx, "report.txt");
    expect(original.status).toBe(200);
    expect(native.body).toMatchObject({ format: "docx" });
    const html = `<!doctype html><html><head><title>Ribe</title></head><body><p>${text}</p></body></html>`;
    expect((await upload(html, "page.bin"))[1].body).toMatchObject({
      format: "html",
    });
  });

  it("beside a second one is not lost without a word", async () => {
    const form = new FormData();
    form.append("file", new Blob(["First. Not read."]), "a.txt");
    form.append("file", new Blob([text]), "b.txt");
    const original = await read(
      await fetch(`${server.url}/bert-file/`, { method: "POST", body: form }),
    );
    expect(original.status).toBe(200);
    expect(original.body.warnings).toEqual(["The form held 2 files; only the last was read."]);
    const native = await read(
      await fetch(`${server.url}/v1/documents:extract`, { method: "POST", body: form }),
    );
    expect(native).toMatchObject({ status: 400, body: { code: "TOO_MANY_FILES" } });
  });
});

it("a caller that leaves while a long text is summarized leaves nothing behind", async () => {
  const document = `${text} `.repeat(20_000);
  const leaving = new AbortController();
  const work = fetch(`${server.url}/v1/summaries`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ document }),
    signal: leaving.signal,
  });
  const active = async (): Promise<number> => {
    const info = (await (await fetch(`${server.url}/info`)).json()) as {
      process: { active: number };
    };
    return info.process.active;
  };
  while ((await active()) === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  leaving.abort();
  await expect(work).rejects.toThrow();
  while ((await active()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

it("bytes where JSON should be are refused in the route's own way", async () => {
  const body = noise(2000);
  const headers = [["Content-Type", "application/json"]] as const;
  const original = await request(server.port, { path: "/bert", headers, body });
  expect([400, 422]).toContain(original.status);
  const native = await request(server.port, { path: "/v1/summaries", headers, body });
  expect(native.status).toBe(400);
});

function noise(length: number): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    }),
  );
}

/** A PDF whose password nobody knows: its check values fit none. */
function encryptedPdf(): Buffer {
  const plain = makeOnePagePdf(pdfStream("", Buffer.from("BT /F1 12 Tf (secret) Tj ET"))).toString(
    "latin1",
  );
  const value = `<${"5a".repeat(32)}>`;
  const encrypt = `<< /Filter /Standard /V 1 /R 2 /O ${value} /U ${value} /P -4 >>`;
  return Buffer.from(
    plain.replace("/Root 1 0 R", `/Root 1 0 R /Encrypt ${encrypt} /ID [<00> <00>]`),
    "latin1",
  );
}
