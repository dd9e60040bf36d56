// Holds reading and checking large data to bounded memory: hundreds of megabytes pass through, and the heap stays small.

import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { profileData } from "./checks/profile.js";
import { splitData } from "./checks/split.js";
import { openDataset } from "./dataset.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-large-"));
});
afterAll(() => rm(folder, { recursive: true }));

const rowCount = 14_000;
const document = "The harbour silted up and the ships unloaded on an island. ".repeat(250);
/** For 210 MB through gzip, on a machine that does other things too. */
const timeoutMs = 300_000;

describe("hundreds of megabytes", () => {
  it("are checked and read anywhere without being held", { timeout: timeoutMs }, async () => {
    const file = path.join(folder, "large.jsonl.gz");
    function* rows() {
      for (let row = 1; row <= rowCount; row++) {
        const odd = row === 10_000 ? "odd" : `${row} ${document}`;
        yield `${JSON.stringify({ document: odd, summary: `${row}` })}\n`;
      }
    }
    await pipeline(Readable.from(rows()), createGzip({ level: 1 }), createWriteStream(file));
    let most = 0;
    let seen = 0;
    const onRead = () => {
      if (++seen % 500 === 0) {
        const { heapUsed, arrayBuffers } = process.memoryUsage();
        most = Math.max(most, heapUsed + arrayBuffers);
      }
    };
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const dataset = await openDataset(file, { onRead, spoolFolder: folder });
    try {
      expect(dataset.rows).toBe(rowCount);
      // What was unpacked is over 200 MB; what is not collected yet may be some of it, but never most.
      expect(most - heapUsed - arrayBuffers).toBeLessThan(100_000_000);
      const [last, odd, first] = await dataset.read([rowCount - 1, 9_999, 0]);
      expect(last!.document.startsWith("14000 The harbour")).toBe(true);
      expect([odd!.document, first!.summary]).toEqual(["odd", "1"]);
    } finally {
      await dataset.close();
    }
  });

  it("are profiled and split without being held", { timeout: timeoutMs }, async () => {
    const file = path.join(folder, "profiled.jsonl.gz");
    const count = 8_000;
    function* rows() {
      // Long enough that holding them would show, and different enough to be no near duplicates of each other.
      for (let at = 0; at < count; at++) {
        const words = Array.from({ length: 60 }, (_, i) => `w${(at * 7919 + i * 104729) % 99_991}`);
        const row = { document: `${words.join(" ")} ${" ".repeat(20_000)}`, summary: `${at}` };
        yield `${JSON.stringify(row)}\n`;
      }
    }
    await pipeline(Readable.from(rows()), createGzip({ level: 1 }), createWriteStream(file));
    let most = 0;
    let seen = 0;
    const onRead = () => {
      if (++seen % 500 !== 0) return;
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      most = Math.max(most, heapUsed + arrayBuffers);
    };
    const before = process.memoryUsage();
    const { splits } = await profileData([{ name: "all", files: [file] }], { onRead });
    expect(splits[0]).toMatchObject({ rows: count, nearDuplicates: { rows: 0 } });
    const output = path.join(folder, "splits");
    const record = await splitData([file], output, { onRead });
    expect(record).toMatchObject({ rows: count, groups: count });
    // 160 MB of text have passed through, twice.
    expect(most - before.heapUsed - before.arrayBuffers).toBeLessThan(100_000_000);
  });

  it("stop at a broken row far into the file, by its line", async () => {
    const file = path.join(folder, "broken.jsonl");
    const row = '{"document": "d", "summary": "s"}\n';
    function* blocks() {
      for (let block = 0; block < 300; block++) yield row.repeat(1000);
      yield '{"document": "cut\n';
      yield row.repeat(1000);
    }
    await pipeline(Readable.from(blocks()), createWriteStream(file));
    await expect(openDataset(file)).rejects.toMatchObject({
      code: "ROW_NOT_JSON",
      details: { file, line: 300_001 },
    });
  });
});
