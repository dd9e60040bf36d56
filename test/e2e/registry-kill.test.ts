// kill -9 while versions are added, moved and collected: nothing half-visible, nothing lost that was acknowledged.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, watch } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openRegistry } from "../../src/compose.js";
import { makeTrainedModel, scratchFolder } from "../support/model-packages.js";
import { runBridle } from "../support/run-bridle.js";

const binary = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let env: Record<string, string>;
const at = (...names: string[]) => path.join(scratch.folder, ...names);

beforeAll(async () => {
  scratch = await scratchFolder("registry-kill");
  env = { BRIDLE_HOME: at("home") };
  for (let seed = 0; seed < 6; seed++) await makeTrainedModel(at(`m${seed}`), seed);
  for (const folder of ["store/models", "store/bridle-tmp"])
    mkdirSync(at("home", folder), { recursive: true });
});
afterAll(() => scratch.remove());

/** What it acknowledged, or undefined where it was killed before. */
async function runAndKill(
  nth: number,
  ...args: string[]
): Promise<{ killed: boolean; told: unknown }> {
  const child: ChildProcess = spawn(process.execPath, [binary, "models", ...args, "--json"], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let out = "";
  child.stdout?.on("data", (chunk) => {
    out += String(chunk);
  });
  let seen = 0;
  // The store's files, and the database with its log beside it.
  const watchers = [
    at("home", "store", "bridle-tmp"),
    at("home", "store", "models"),
    at("home"),
  ].map((folder) =>
    watch(folder, { recursive: folder.endsWith("models") }, () => {
      if (++seen === nth) child.kill("SIGKILL");
    }),
  );
  await once(child, "close");
  for (const watcher of watchers) watcher.close();
  const told: unknown = out.trim() === "" ? undefined : JSON.parse(out);
  return { killed: child.signalCode === "SIGKILL", told };
}

/** What a look finds, and that everything acknowledged is there. */
async function expectWhole(
  versions: ReadonlyMap<number, string>,
  moves: readonly { readonly move: number; readonly version: number }[],
): Promise<void> {
  const registry = await openRegistry({ env });
  try {
    const { faults } = await registry.check();
    expect(faults.filter(({ kind }) => kind === "fault")).toEqual([]);
    const known = await registry.listModels();
    const found = known.length === 0 ? [] : (await registry.getModel("news")).versions;
    // Numbers without a gap, whatever was cut off.
    expect(found.map(({ version }) => version).reverse()).toEqual(found.map((_, i) => i + 1));
    for (const [version, digest] of versions) {
      expect(found.find((each) => each.version === version)?.digest, `version ${version}`).toBe(
        digest,
      );
    }
    const history = known.length === 0 ? [] : await registry.history("news", "live");
    for (const { move, version } of moves) {
      expect(history.find((each) => each.move === move)?.version, `move ${move}`).toBe(version);
    }
    for (const version of found) {
      if (version.collectedAt === null) await registry.open(version);
    }
  } finally {
    await registry.close();
  }
}

/** Where in the work a command is killed: after so many changes in the folders it works in. */
const moments = [1, 2, 3, 5, 8, 12, 17, 23, 30, 40];

it("leaves everything whole, and loses nothing, over kills of add, promote and gc", async () => {
  const versions = new Map<number, string>();
  const moves: { move: number; version: number }[] = [];
  const kills = { add: 0, promote: 0, gc: 0 };
  const model = (index: number) => at(`m${index % 6}`);
  const add = (index: number) => ["add", model(index), "--name", "news", "--note", String(index)];
  const noteAdded = (told: unknown) => {
    const { version, digest } = (told ?? {}) as { version?: number; digest?: string };
    if (version !== undefined && digest !== undefined) versions.set(version, digest);
  };
  const noteMoved = (told: unknown) => {
    const { move, version } = (told ?? {}) as { move?: number; version?: number };
    if (move !== undefined && version !== undefined) moves.push({ move, version });
  };
  for (const [index, nth] of moments.entries()) {
    const { killed, told } = await runAndKill(nth, ...add(index));
    kills.add += Number(killed);
    noteAdded(told);
    await expectWhole(versions, moves);
  }
  for (let index = 0; index < 6; index++) {
    const { code, stdout, stderr } = await runBridle(["models", ...add(index), "--json"], { env });
    expect(code, stderr).toBe(0);
    noteAdded(JSON.parse(stdout));
  }
  for (const [index, nth] of [1, 2, 3, 4, 5, 6, 7, 8].entries()) {
    const version = `news:${(index % 6) + 1}`;
    const { killed, told } = await runAndKill(nth, "promote", version, "--alias", "live");
    kills.promote += Number(killed);
    noteMoved(told);
    await expectWhole(versions, moves);
  }
  for (const nth of [1, 2, 3, 5, 8, 12, 17, 23]) {
    const { killed } = await runAndKill(nth, "gc", "--keep", "1");
    kills.gc += Number(killed);
    await expectWhole(versions, moves);
  }
  for (const [what, count] of Object.entries(kills))
    expect(count, `kills of ${what}`).toBeGreaterThan(1);
  const { code, stdout } = await runBridle(["doctor", "--json", "--port", "0"], { env });
  const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string }[] };
  expect(checks.find(({ name }) => name === "registry")?.status, `${code}`).not.toBe("fail");
}, 600_000);
