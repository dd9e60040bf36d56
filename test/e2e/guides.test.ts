// Types every command of the README and the user's guide in a temporary folder, page by page, as a reader would.
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFakeHub } from "../support/fake-hub.mjs";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";
import { type Block, readBlocks, readPorts, toScript } from "./guide-script.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const binary = path.join(root, "dist", "cli", "main.js");

/** Blocks tagged `sh no-run`, by page and first line, with the reason why no test can type them. */
const notRun: Readonly<Record<string, string>> = {
  "README.md: git clone": "needs the network; scripts/smoke.mjs clones and starts for real",
  "README.md: npm test": "would run itself",
  "docs/guides/huggingface-client.md: npm install":
    "needs the network; the test links what it installs",
  "docs/guides/runs.md: bridle train":
    "needs an MLflow server; test/e2e/runs-mlflow.test.ts types it with one of our own, and the real one where it is",
  "docs/guides/runs.md: npm install":
    "needs the network and a key; test/e2e/runs-wandb.test.ts types it with a service of our own",
  "docs/guides/golden.md: npm run": "needs a checkout; test/golden.test.ts calls what it runs",
};

const pages = [
  "README.md",
  ...readdirSync(path.join(root, "docs", "guides"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/guides/${name}`),
];
const blocksOf = (page: string) => readBlocks(readFileSync(path.join(root, page), "utf8"));
const isRun = ({ info }: Block) => info === "sh";
const isNotRun = ({ info }: Block) => info === "sh no-run";

/** A hub on loopback, whose `google/pegasus-xsum` is a small model made here; pages have it as `./my-pegasus` too. */
let hub: Awaited<ReturnType<typeof startFakeHub>>;
let model: string;
beforeAll(async () => {
  model = await makeTinyPegasus(mkdtempSync(path.join(tmpdir(), "bridle-guide-model-")));
  const files = Object.fromEntries(
    readdirSync(model).map((name) => [name, readFileSync(path.join(model, name))]),
  );
  hub = await startFakeHub({ "google/pegasus-xsum": { files } });
});
afterAll(async () => {
  await hub.close();
  rmSync(model, { recursive: true });
});

interface Outcome {
  readonly code: number | NodeJS.Signals | null;
  readonly output: string;
}

/** Runs the `sh` blocks of a page in one shell session, in a folder of its own that can `import "bridle"`. */
async function type(page: readonly Block[]): Promise<Outcome> {
  const blocks = page.filter(isRun);
  const folder = mkdtempSync(path.join(tmpdir(), "bridle-guide-"));
  const work = path.join(folder, "work");
  const bin = path.join(folder, "bin");
  for (const made of [path.join(work, "node_modules"), bin, path.join(folder, "home")]) {
    mkdirSync(made, { recursive: true });
  }
  symlinkSync(root, path.join(work, "node_modules", "bridle"));
  if (blocks.some(({ text }) => text.includes("./my-pegasus"))) {
    symlinkSync(model, path.join(work, "my-pegasus"));
  }
  // What a page tells its reader to install, from where the tests have it.
  mkdirSync(path.join(work, "node_modules", "@huggingface"));
  const client = path.join("node_modules", "@huggingface", "inference");
  symlinkSync(path.join(root, client), path.join(work, client));
  const shim = `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`;
  writeFileSync(path.join(bin, "bridle"), shim, { mode: 0o755 });
  const ports = new Map<number, number>();
  for (const port of readPorts(blocks)) ports.set(port, await freePort());
  const script = path.join(folder, "page.sh");
  writeFileSync(script, toScript(blocks, ports));
  try {
    return await run(script, work, {
      ...Object.fromEntries(
        Object.entries(process.env).filter(
          ([name]) => !/^(BRIDLE_|NODE_|VITEST|HF_|TRANSFORMERS_)/.test(name),
        ),
      ),
      HOME: path.join(folder, "home"),
      HF_ENDPOINT: hub.url,
      PATH: [bin, path.dirname(process.execPath), process.env.PATH].join(path.delimiter),
      PORT: String(ports.get(8000)),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function run(script: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", [script], {
      cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.once("error", reject);
    child.once("exit", () => {
      try {
        // Whatever the page left in the background ends with it, and so lets go of the pipes.
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // Nothing was left.
      }
    });
    child.once("close", (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Longest that the commands of a page may take on a busy machine, all pages side by side, in ms. */
const pageLimitMs = 300_000;

const page = (...lines: string[]) => readBlocks(lines.join("\n"));

describe.skipIf(process.platform === "win32")("a made-up page", () => {
  it("passes when its commands do, with files and variables kept from block to block", async () => {
    const { code, output } = await type(
      page(
        "```sh",
        "cat > a.txt <<'END'",
        "npm start",
        "END",
        "word=kept",
        "```",
        "```json",
        "false",
        "```",
        "```sh",
        'grep -q "npm start" a.txt \\',
        '  && echo "$word in $PWD"',
        "```",
      ),
    );
    expect(output).toMatch(/^kept in .*work\n$/);
    expect(code).toBe(0);
  });

  it.each([
    ["a command", "false"],
    ["the first command of a pipe", "false | cat"],
    ["a command that is not there", "bridel --help"],
    ["a server that cannot start", "bridle serve --no-such-option"],
  ])("fails when %s fails", async (_, command) => {
    const { code, output } = await type(page("", "```sh", "true", command, "echo reached", "```"));
    expect(code).not.toBe(0);
    expect(output).not.toContain("reached");
    expect(output).toContain("line 2 of the page");
  });

  it("starts its servers on free ports, waits for each, and leaves none behind", async () => {
    const { code, output } = await type(
      page(
        "```sh",
        "bridle serve --port 8123",
        "npm start &",
        "curl -sf http://127.0.0.1:8123/health > /dev/null && echo first",
        "curl -sf http://localhost:8000/health > /dev/null && echo second",
        "echo $!",
        "```",
      ),
    );
    expect(output).toMatch(/first\n(.*\n)*second/);
    expect(code).toBe(0);
    const pid = Number(/second\s+(\d+)/.exec(output)?.[1]);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});

describe("the pages", () => {
  it("are there, and Bridle is built", () => {
    expect(pages.length).toBeGreaterThan(3);
    expect(existsSync(binary), "run `npm run build` first").toBe(true);
  });

  it("put every command in a block that is run, or listed with a reason", () => {
    for (const page of pages) {
      for (const { info, line } of blocksOf(page)) {
        const word = info.split(" ")[0];
        const isShell = ["bash", "shell", "console", "zsh", "shell-session"].includes(word ?? "");
        expect(isShell, `${page}:${line} is not tagged sh`).toBe(false);
        if (word === "sh") expect(["sh", "sh no-run"], `${page}:${line}`).toContain(info);
      }
    }
    const found = pages.flatMap((page) =>
      blocksOf(page)
        .filter(isNotRun)
        .map(({ text }) => `${page}: ${text.split(/\s+/).slice(0, 2).join(" ")}`),
    );
    expect(found.sort()).toEqual(Object.keys(notRun).sort());
  });

  it.skipIf(process.platform === "win32").concurrent.each(pages)(
    "%s",
    async (page) => {
      const { code, output } = await type(blocksOf(page));
      expect(output, page).not.toMatch(/^(\S+: )?line \d+ of the page/m);
      expect(code, `${page} printed:\n${output}`).toBe(0);
    },
    pageLimitMs,
  );
});
