// Tests the package as its users get it: what is in the tarball, and that it works in an empty project, typed.
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const windows = process.platform === "win32";
/** Longest an installation may take on a slow line, in ms. */
const installLimitMs = 300_000;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

let folder: string;
let project: string;
let packed: Packed;
/** Why the tarball could not be installed, where it is the network's fault. */
let unreachable: string | undefined;

/** The environment without what an outer npm or test runner left in it. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|execpath|command|config_local_prefix)|NODE_OPTIONS|NODE_ENV|VITEST|BRIDLE_)/i.test(
        name,
      ),
  ),
);

function npm(args: readonly string[], cwd: string) {
  const options = { cwd, env: environment, maxBuffer: 50_000_000, shell: windows };
  return run(windows ? "npm.cmd" : "npm", [...args], options);
}

function networkFault(thrown: unknown): string | undefined {
  const said = `${(thrown as { stderr?: string }).stderr ?? ""}${(thrown as Error).message}`;
  return /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/.exec(
    said,
  )?.[0];
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-pack-"));
  project = path.join(folder, "project");
  mkdirSync(project);
  const { stdout } = await npm(["pack", "--json", "--pack-destination", folder], root);
  [packed] = JSON.parse(stdout) as [Packed];
  writeFileSync(
    path.join(project, "package.json"),
    '{"name": "empty", "private": true, "type": "module"}',
  );
  const tarball = path.join(folder, packed.filename);
  try {
    await npm(
      ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", tarball],
      project,
    );
  } catch (thrown) {
    unreachable = networkFault(thrown);
    if (unreachable === undefined) throw thrown;
  }
}, installLimitMs);
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

function needsInstall(context: TestContext): void {
  if (unreachable !== undefined) context.skip(`the registry cannot be reached (${unreachable})`);
}

describe("the tarball", () => {
  it("holds what runs and what explains it, and nothing else", () => {
    const names = packed.files.map(({ path: name }) => name);
    for (const name of [
      "LICENSE",
      "README.md",
      "CHANGELOG.md",
      "docs/errors.md",
      "package.json",
      "dist/index.js",
      "dist/index.d.ts",
      "dist/cli/main.js",
      "configs/model/pegasus-xsum.yaml",
      "configs/schemas/params.schema.json",
      "dist/dashboard/index.html",
      "dist/dashboard/licences.txt",
      "dist/THIRD-PARTY-LICENSES.txt",
      "dist/server/docs-assets/swagger-ui-bundle.js",
      "dist/server/docs-assets/LICENSE",
    ]) {
      expect(names).toContain(name);
    }
    const allowed =
      /^(dist\/|configs\/|docs\/errors\.md$|(LICENSE|README\.md|CHANGELOG\.md|package\.json)$)/;
    expect(names.filter((name) => !allowed.test(name))).toEqual([]);
    expect(
      names.filter((name) => /\.test\.|\.map$|\.stamp|\.tsx?$/.test(name.replace(/\.d\.ts$/, ""))),
    ).toEqual([]);
  });

  it("stays small", () => {
    // A quarter of it is what `serve` is started from, joined, which is there a second time file by file.
    expect(packed.size).toBeLessThan(3_200_000);
    // Another is the API's reference, which works offline.
    expect(packed.unpackedSize).toBeLessThan(11_500_000);
  });

  it("names no folder of the machine it was made on", () => {
    const guilty = packed.files
      .map(({ path: name }) => name)
      .filter((name) => readFileSync(path.join(root, name), "latin1").includes(root));
    expect(guilty).toEqual([]);
  });
});

describe("an empty project that installed it", () => {
  it("imports it and uses it", async (context) => {
    needsInstall(context);
    const program = `
      import { BridleError, createSummarizer, rouge, splitSentences } from "bridle";
      const text = "The harbour was closed. Two ships drifted to the pier of the harbour. Nobody was hurt.";
      const summarizer = await createSummarizer();
      const { summary, sources } = await summarizer.summarize(text, { parameters: { sentences: 1 } });
      await summarizer.close();
      const failed = await createSummarizer({ model: "no-such-model" }).catch((error) => error);
      console.log(JSON.stringify({
        summary,
        source: text.slice(sources[0].start, sources[0].end),
        score: rouge(summary, summary).rougeL.fmeasure,
        sentences: splitSentences(text).length,
        code: failed instanceof BridleError && failed.code,
      }));`;
    writeFileSync(path.join(project, "use.js"), program);
    const { stdout } = await run(process.execPath, ["use.js"], { cwd: project, env: environment });
    const said = JSON.parse(stdout);
    expect(said.summary).not.toBe("");
    expect(said).toEqual({
      summary: said.summary,
      source: said.summary,
      score: 1,
      sentences: 3,
      code: "MODEL_NOT_FOUND",
    });
  });

  it("reads files and summarizes long text, which takes worker threads", async (context) => {
    needsInstall(context);
    const program = `
      import { createSummarizer, readDocument } from "bridle";
      const html = "<title>T</title><main>" + "<p>The harbour was closed. Ships waited for the harbour.</p>".repeat(20_000) + "</main>";
      const { text, format } = await readDocument(Buffer.from(html), { fileName: "a.html" });
      const summarizer = await createSummarizer();
      const { summary, usage } = await summarizer.summarize(text, { parameters: { sentences: 2 } });
      await summarizer.close();
      console.log(JSON.stringify({ format, isShort: summary.length < 1000, all: usage.inputTokens === usage.usedTokens }));`;
    writeFileSync(path.join(project, "long.js"), program);
    const { stdout } = await run(process.execPath, ["long.js"], { cwd: project, env: environment });
    expect(JSON.parse(stdout)).toEqual({ format: "html", isShort: true, all: true });
  });

  it("checks against its types with every strictness on, and refuses what is wrong", async (context) => {
    needsInstall(context);
    const program = `
      import { aggregateRouge, BridleError, createSummarizer, evaluate, readDocument, rouge, splitSentences } from "bridle";
      import type { DocumentText, Evaluation, RougeScore, Summarizer, SummaryResult } from "bridle";
      const summarizer: Summarizer = await createSummarizer({ model: "extractive" });
      const result: SummaryResult = await summarizer.summarize("text", { parameters: { sentences: 2 }, signal: AbortSignal.timeout(1000) });
      const spans: readonly { start: number; end: number }[] = result.sources;
      const score: RougeScore = rouge("a", ["b"].join(), { types: ["rouge1", "rougeL"] }).rougeL;
      const low: number = aggregateRouge([rouge("a", "b")]).rouge1.low.fmeasure;
      const read: DocumentText = await readDocument(new Uint8Array());
      const evaluation: Evaluation = await evaluate(summarizer, ["a.jsonl"], { baselines: ["lead3"] });
      const ends: number[] = splitSentences(read.text).map(({ end }) => end);
      // @ts-expect-error sentences is a number
      await summarizer.summarize("text", { parameters: { sentences: "two" } });
      // @ts-expect-error only the types asked for are there
      rouge("a", "b", { types: ["rouge1"] }).rouge2;
      export { BridleError, ends, evaluation, low, score, spans };`;
    writeFileSync(path.join(project, "use.ts"), program);
    writeFileSync(
      path.join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          module: "NodeNext",
          target: "ES2022",
          skipLibCheck: false,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noEmit: true,
          types: ["node"],
        },
        files: ["use.ts"],
      }),
    );
    for (const name of ["@types/node", "undici-types"]) {
      cpSync(path.join(root, "node_modules", name), path.join(project, "node_modules", name), {
        recursive: true,
      });
    }
    const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");
    const { stdout } = await run(process.execPath, [compiler, "-p", project], {
      cwd: project,
    }).catch((thrown: { stdout: string }) => thrown);
    expect(stdout).toBe("");
  });

  it("has the bridle command", async (context) => {
    needsInstall(context);
    writeFileSync(
      path.join(project, "a.txt"),
      "The harbour was closed. Two ships drifted to the pier of the harbour.",
    );
    const binary = path.join(project, "node_modules", ".bin", windows ? "bridle.cmd" : "bridle");
    expect(existsSync(binary)).toBe(true);
    const { stdout } = await run(binary, ["summarize", "a.txt", "--sentences", "1", "--json"], {
      cwd: project,
      env: environment,
      shell: windows,
    });
    expect(JSON.parse(stdout)).toMatchObject({ model: "extractive", truncated: false });
    const doctor = await run(binary, ["doctor", "--port", "0", "--json"], {
      cwd: project,
      env: environment,
      shell: windows,
    });
    expect(JSON.parse(doctor.stdout)).toMatchObject({ ok: true });
  });

  it("is imported quickly, for it loads nothing of others until it is used", async (context) => {
    needsInstall(context);
    const hooks = `
      import { appendFileSync } from "node:fs";
      export async function resolve(specifier, context, next) {
        const resolved = await next(specifier, context);
        appendFileSync("loaded.txt", resolved.url + "\\n");
        return resolved;
      }`;
    const program = `
      import { register } from "node:module";
      register("./hooks.mjs", import.meta.url);
      await import("bridle");`;
    writeFileSync(path.join(project, "hooks.mjs"), hooks);
    writeFileSync(path.join(project, "import.mjs"), program);
    await run(process.execPath, ["import.mjs"], { cwd: project, env: environment });
    const loaded = readFileSync(path.join(project, "loaded.txt"), "utf8").trim().split("\n");
    const own = loaded.filter((url) => url.includes("/bridle/dist/"));
    const others = loaded.filter((url) => /node_modules\/(?!bridle\/)/.test(url));
    expect(own.some((url) => url.endsWith("/bridle/dist/index.js"))).toBe(true);
    expect(others).toEqual([]);
  });
});
