// The curl lines of the original service's documentation, typed as they stand there.
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compose, type Service } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { type RunningServer, startServer } from "../../src/server/server.js";

const run = promisify(execFile);
const hasCurl = spawnSync("curl", ["--version"]).status === 0;

const text =
  "The harbour silted up. Ships then unloaded on the island. The town lost its trade and half of its people. " +
  "Today its streets draw more visitors than the harbour ever drew ships.";

describe.skipIf(!hasCurl)(`curl${hasCurl ? "" : " (skipped: there is no curl here)"}`, () => {
  let folder: string;
  let service: Service;
  let server: RunningServer;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "bridle-curl-"));
    await writeFile(path.join(folder, "text.txt"), text);
    const config = resolveServeConfig({ port: 0, logLevel: "silent" }, {});
    service = await compose(config);
    server = await startServer(config, service);
  });
  afterAll(async () => {
    await server.close();
    await service.close();
    await rm(folder, { recursive: true });
  });

  async function curl(...args: string[]): Promise<string> {
    const { stdout } = await run("curl", ["--silent", "--show-error", ...args], { cwd: folder });
    return stdout;
  }

  it("POST /bert", async () => {
    const answer = await curl(
      ...["--header", "Content-Type: application/json", "--request", "POST"],
      ...["--data", '{"content":"string"}', `${server.url}/bert`],
    );
    expect(JSON.parse(answer)).toEqual({
      summary: "string",
      model: "extractive",
      version: expect.any(String),
      truncated: false,
      usage: { inputTokens: 1, usedTokens: 1, outputTokens: 1, chunks: 1 },
    });
  });

  it("POST /bert-file/", async () => {
    const answer = JSON.parse(await curl("-F", "file=@text.txt", `${server.url}/bert-file/`));
    expect(answer).toMatchObject({ model: "extractive", truncated: false });
    expect(answer.summary.length).toBeGreaterThan(20);
    for (const sentence of answer.summary.split(/(?<=\.) /)) expect(text).toContain(sentence);
  });

  it("follows the redirects with the body", async () => {
    const json = [
      "--location",
      "--header",
      "Content-Type: application/json",
      "--data",
      '{"content":"string"}',
    ];
    expect(JSON.parse(await curl(...json, `${server.url}/bert/`))).toMatchObject({
      summary: "string",
    });
    const file = JSON.parse(
      await curl("--location", "-F", "file=@text.txt", `${server.url}/bert-file`),
    );
    expect(file).toMatchObject({ model: "extractive" });
  });

  it("sends a body over a megabyte, asking first", async () => {
    await writeFile(path.join(folder, "long.txt"), `${text} `.repeat(12_000));
    const answer = JSON.parse(
      await curl(
        "--header",
        "Expect: 100-continue",
        "-F",
        "file=@long.txt",
        `${server.url}/bert-file/`,
      ),
    );
    expect(answer.usage.usedTokens).toBe(answer.usage.inputTokens);
    expect(answer.usage.inputTokens).toBeGreaterThan(100_000);
  });

  it("POST /v1/summaries as a stream", async () => {
    const answer = await curl(
      ...["--no-buffer", "--header", "Content-Type: application/json"],
      ...["--data", JSON.stringify({ document: text, stream: true }), `${server.url}/v1/summaries`],
    );
    expect(answer).toMatch(/event: summary\ndata: \{"id":"sum_.*\}\n\n$/);
  });
});
