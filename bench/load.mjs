// Load on the service: many clients at once on mixed real documents and files, some hanging up; no answer may be an error.
// node bench/load.mjs [--clients 64] [--seconds 60] [--seed 1] [--data FOLDER] [--url URL]
// @ts-check
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import JSZip from "jszip";
import { PDFDocument, StandardFonts } from "pdf-lib";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: options } = parseArgs({
  options: {
    clients: { type: "string", default: "64" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    data: { type: "string", default: path.join(root, "..", "shared", "data") },
    url: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});
const clients = Number(options.clients);
const seconds = options.quick ? 5 : Number(options.seconds);

/** Numbers in [0, 1) that are the same every time. Source: Steele & Vigna's mulberry32. @param {number} seed */
function createRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = createRandom(Number(options.seed));
/** @template T @param {readonly T[]} list not empty @returns {T} */
const pick = (list) => /** @type {T} */ (list[Math.floor(random() * list.length)]);

const builtIn = [
  "The harbour was closed on Monday. A storm had damaged two piers. Ferries were sent to the next port. The mayor expects repairs to take a month.",
  "Der Hafen war am Montag geschlossen. Ein Sturm hatte zwei Molen beschädigt. Die Fähren fuhren den nächsten Hafen an.",
  "港は月曜日に閉鎖された。嵐で二つの桟橋が壊れた。フェリーは隣の港に向かった。市長は修理に一か月かかるとみている。",
];

/** Documents of every set in the data folder, or a few of our own. @param {string} folder */
function readDocuments(folder) {
  if (!existsSync(folder)) return { texts: builtIn, source: "built-in texts" };
  const texts = readdirSync(folder)
    .filter((name) => /\.test\d?\.jsonl\.gz$/.test(name))
    .sort()
    .flatMap((name) =>
      gunzipSync(readFileSync(path.join(folder, name)))
        .toString("utf8")
        .split("\n")
        .slice(0, 60)
        .filter(Boolean)
        .map((line) => /** @type {{document: string}} */ (JSON.parse(line)).document),
    );
  return { texts, source: `${texts.length} documents of ${path.basename(folder)}` };
}

/** @param {string} text */
async function makeDocx(text) {
  const escapeXml = (/** @type {string} */ line) =>
    line.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const paragraphs = text
    .split("\n")
    .map((line) => `<w:p><w:r><w:t xml:space="preserve">${escapeXml(line)}</w:t></w:r></w:p>`)
    .join("");
  const zip = new JSZip();
  zip.file(
    "[Content_Types].xml",
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
  );
  zip.file(
    "_rels/.rels",
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
  );
  zip.file(
    "word/document.xml",
    `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${paragraphs}</w:body></w:document>`,
  );
  return await zip.generateAsync({ type: "nodebuffer", compression: "DEFLATE" });
}

/** @param {string} text */
async function makePdf(text) {
  const pdf = await PDFDocument.create();
  const font = await pdf.embedFont(StandardFonts.Helvetica);
  const words = text.replaceAll(/[^\x20-\x7e]/g, " ").split(/\s+/);
  for (let at = 0; at < words.length; ) {
    const page = pdf.addPage([595, 842]);
    for (let y = 780; y > 60 && at < words.length; y -= 14) {
      page.drawText(words.slice(at, at + 11).join(" "), { x: 50, y, size: 11, font });
      at += 11;
    }
  }
  return Buffer.from(await pdf.save());
}

/** @param {readonly string[]} texts */
async function makeFiles(texts) {
  const english = texts.filter((text) => /^[\x20-\x7e\s]+$/.test(text) && text.length > 500);
  const source = english.length > 0 ? english : builtIn.slice(0, 1);
  const text = () => pick(source);
  return [
    { name: "plain.txt", bytes: Buffer.from(text()) },
    { name: "latin1.txt", bytes: Buffer.from(`Größe und Maß. ${text()}`, "latin1") },
    { name: "utf16.txt", bytes: Buffer.from(`\ufeff${text()}`, "utf16le") },
    {
      name: "page.html",
      bytes: Buffer.from(`<!doctype html><title>A page</title><p>${text()}</p>`),
    },
    { name: "page.md", bytes: Buffer.from(`# A page\n\n${text()}\n\n- one\n- two\n`) },
    { name: "letter.docx", bytes: await makeDocx(text()) },
    { name: "paper.pdf", bytes: await makePdf(text()) },
  ];
}

/** @param {{name: string, bytes: Buffer}} file */
function formOf({ name, bytes }) {
  const head = `--B\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes, Buffer.from("\r\n--B--\r\n")]);
}

const json = "application/json";
const { texts, source } = readDocuments(options.data);
const files = await makeFiles(texts);
const long = texts.join("\n\n").slice(0, 300_000);

/** @typedef {{kind: string, path: string, type: string, body: Buffer}} Call */

/** The mix, by share. @type {readonly [share: number, make: () => Call][]} */
const mix = [
  [35, () => call("/bert", "/bert", { content: pick(texts) })],
  [
    25,
    () =>
      call("/v1/summaries", "/v1/summaries", {
        document: pick(texts),
        parameters: { sentences: 3 },
      }),
  ],
  [10, () => call("stream", "/v1/summaries", { document: pick(texts), stream: true })],
  [10, () => call("/models/*", "/models/extractive", { inputs: pick(texts) })],
  [
    5,
    () =>
      call(":batch", "/v1/summaries:batch", {
        documents: Array.from({ length: 8 }, () => pick(texts)),
      }),
  ],
  [12, fileCall],
  [3, () => call("300 KB text", "/bert", { content: long.slice(Math.floor(random() * 1000)) })],
];
const shares = mix.reduce((sum, [share]) => sum + share, 0);

/** @param {string} kind @param {string} to @param {object} body @returns {Call} */
function call(kind, to, body) {
  return { kind, path: to, type: json, body: Buffer.from(JSON.stringify(body)) };
}

/** @returns {Call} */
function fileCall() {
  const file = pick(files);
  const type = "multipart/form-data; boundary=B";
  return { kind: `file ${path.extname(file.name)}`, path: "/bert-file/", type, body: formOf(file) };
}

/** @returns {Call} */
function nextCall() {
  let at = random() * shares;
  const found = mix.find(([share]) => {
    at -= share;
    return at < 0;
  });
  return (found ?? pick(mix))[1]();
}

/** @param {string[]} args @returns {Promise<{url: string, pid: number, stop: () => Promise<number | null>}>} */
async function startServer(args) {
  const binary = path.join(root, "dist", "cli", "main.js");
  const child = spawn(process.execPath, [binary, "serve", "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  let said = "";
  const url = await new Promise((resolve, reject) => {
    const hear = (/** @type {Buffer} */ chunk) => {
      said = (said + chunk).slice(-10_000);
      const found = /listening on (http:\/\/\S+)/i.exec(said)?.[1];
      if (found) resolve(found);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${said}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGTERM");
      return /** @type {number | null} */ (await ended);
    },
  };
}

const server = options.url ? undefined : await startServer(["--log-level", "warn"]);
const url = options.url ?? server?.url ?? "";
const agent = new Agent({ keepAlive: true, maxSockets: clients * 2 });

/** @param {string} to */
async function getJson(to) {
  return await (await fetch(url + to)).json();
}
for (;;) {
  const { ok } = await fetch(`${url}/ready`);
  if (ok) break;
}

/** @type {Map<string, number[]>} */
const latencies = new Map();
/** @type {Map<string, number>} */
const errors = new Map();
let hangUps = 0;
let sent = 0;

/** Sends one call and waits for the end of its answer; `leaveAfterMs` hangs up instead. @param {Call} one @param {number} [leaveAfterMs] */
function perform({ kind, path: to, type, body }, leaveAfterMs) {
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const began = performance.now();
      const fail = (/** @type {string} */ why) => {
        if (leaveAfterMs === undefined) errors.set(why, (errors.get(why) ?? 0) + 1);
        resolve();
      };
      const outgoing = request(
        url + to,
        { method: "POST", agent, headers: { "content-type": type, "content-length": body.length } },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8");
          answer.on("data", (chunk) => {
            if (text.length < 10_000_000) text += chunk;
          });
          answer.on("error", (error) => fail(`${kind}: ${error.message}`));
          answer.on("end", () => {
            if (answer.statusCode !== 200)
              return fail(`${kind}: ${answer.statusCode} ${text.slice(0, 200)}`);
            const good =
              kind === "stream"
                ? text.includes("event: summary\n")
                : /"summary(_text)?":"./.test(text);
            if (!good || text.includes('"error"'))
              return fail(`${kind}: no summary in ${text.slice(0, 200)}`);
            if (leaveAfterMs === undefined) {
              const list = latencies.get(kind) ?? [];
              latencies.set(kind, list);
              list.push(performance.now() - began);
            }
            resolve();
          });
        },
      );
      outgoing.on("error", (error) => fail(`${kind}: ${error.message}`));
      if (leaveAfterMs === undefined) {
        outgoing.end(body);
      } else {
        hangUps += 1;
        // Half of them leave in the middle of their own body.
        if (random() < 0.5) outgoing.write(body.subarray(0, body.length >> 1));
        else outgoing.end(body);
        setTimeout(() => {
          outgoing.destroy();
          resolve();
        }, leaveAfterMs);
      }
    })
  );
}

/** Resident bytes of the server, as the operating system counts them. */
async function residentBytes() {
  const status = server && `/proc/${server.pid}/status`;
  if (status && existsSync(status)) {
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(status, "utf8"))?.[1] ?? 0);
  }
  const info = /** @type {{process?: {residentBytes: number}}} */ (await getJson("/info"));
  return info.process?.residentBytes ?? 0;
}

console.log(
  `${clients} clients for ${seconds} s on ${source} and ${files.length} files; Node ${process.version}, ${os.cpus().length} × ${os.cpus()[0]?.model.trim()}`,
);
const until = performance.now() + seconds * 1000;
let peak = 0;
const first = await residentBytes();
const watch = setInterval(async () => {
  peak = Math.max(peak, await residentBytes());
}, 500);
await Promise.all(
  Array.from({ length: clients }, async () => {
    while (performance.now() < until) {
      sent += 1;
      await perform(nextCall(), random() < 0.05 ? random() * 30 : undefined);
    }
  }),
);
clearInterval(watch);
agent.destroy();

/** @param {number[]} list @param {number} share */
const percentile = (list, share) =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(share * list.length))] ?? 0;
const rows = [...latencies].sort(([a], [b]) => a.localeCompare(b));
const all = rows.flatMap(([, list]) => list);
console.log(
  `\n${"".padEnd(16)}${["answers", "p50 ms", "p99 ms", "max ms"].map((head) => head.padStart(10)).join("")}`,
);
for (const [kind, list] of [...rows, /** @type {[string, number[]]} */ (["all", all])]) {
  const cells = [
    String(list.length),
    percentile(list, 0.5).toFixed(1),
    percentile(list, 0.99).toFixed(1),
    percentile(list, 1).toFixed(1),
  ];
  console.log(kind.padEnd(16) + cells.map((cell) => cell.padStart(10)).join(""));
}
const last = await residentBytes();
peak = Math.max(peak, last);
const megabytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1e6)} MB`;
console.log(
  `\nThroughput ${(all.length / seconds).toFixed(0)} answers/s; ${hangUps} of ${sent} callers hung up.`,
);
console.log(
  `RSS of the server: ${megabytes(first)} at the start, ${megabytes(peak)} at most, ${megabytes(last)} at the end.`,
);

const after = /** @type {{process?: {active: number, waiting: number, bufferedBytes: number}}} */ (
  await getJson("/info")
);
console.log(
  `Left behind: ${JSON.stringify(after.process && { active: after.process.active, waiting: after.process.waiting, bufferedBytes: after.process.bufferedBytes })}`,
);
const exitCode = await server?.stop();
if (server && exitCode !== 0) errors.set(`the server ended with ${exitCode}`, 1);
for (const [why, count] of errors) console.log(`ERROR ${count} × ${why}`);
const failed = [...errors.values()].reduce((sum, count) => sum + count, 0);
console.log(
  JSON.stringify({
    name: "load",
    clients,
    seconds,
    answers: all.length,
    errors: failed,
    hangUps,
    p50Ms: Number(percentile(all, 0.5).toFixed(1)),
    p99Ms: Number(percentile(all, 0.99).toFixed(1)),
    answersPerS: Number((all.length / seconds).toFixed(1)),
    peakRssBytes: peak,
    held: failed === 0 && all.length > 0,
  }),
);
process.exitCode = failed === 0 && all.length > 0 ? 0 : 1;
