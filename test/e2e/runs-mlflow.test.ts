// A training told to MLflow while its server is away, and models told to its registry, through the compiled binary.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  type FakeMlflow,
  hasRealMlflow,
  type MlflowServer,
  openRealMlflow,
  startFakeMlflow,
} from "../support/mlflow-servers.js";
import { runBridle } from "../support/run-bridle.js";
import { makeToyRun } from "../support/train-toy.js";

let root: string;
let env: Record<string, string>;
let params: string;
beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), "bridle-runs-mlflow-"));
  env = { BRIDLE_HOME: path.join(root, "home") };
  params = path.join(root, "params.yaml");
  writeFileSync(params, JSON.stringify(await makeToyRun(path.join(root, "toy"), { epochs: 1 })));
});
afterAll(() => rmSync(root, { recursive: true }));

const bridle = (...args: string[]) => runBridle(args, { cwd: root, env });
async function json(...args: string[]) {
  const { code, stdout, stderr } = await bridle(...args, "--json");
  expect(code, stderr + stdout).toBe(0);
  return JSON.parse(stdout);
}

// biome-ignore lint/suspicious/noExplicitAny: answers of MLflow, which the tests look at
type Told = any;

async function ask(
  server: MlflowServer,
  method: string,
  rest: string,
  body?: object,
): Promise<Told> {
  const response = await fetch(`${server.url}/api/2.0/mlflow/${rest}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  expect(response.status, `${rest} ${response.status}`).toBe(200);
  return await response.json();
}

async function toldRun(server: MlflowServer, experiment: string, id: string): Promise<Told> {
  const found = await ask(server, "GET", `experiments/get-by-name?experiment_name=${experiment}`);
  const { runs } = await ask(server, "POST", "runs/search", {
    experiment_ids: [found.experiment.experiment_id],
    filter: `tags.\`bridle.run_id\` = '${id}'`,
  });
  expect(runs).toHaveLength(1);
  return runs[0];
}

async function history(server: MlflowServer, id: string, key: string) {
  const { metrics } = await ask(
    server,
    "GET",
    `metrics/get-history?run_id=${id}&metric_key=${encodeURIComponent(key)}`,
  );
  return metrics
    .map(({ step, value }: Told) => [Number(step), value])
    .sort(([a]: number[], [b]: number[]) => (a as number) - (b as number));
}

const spooled = () => {
  try {
    return readdirSync(path.join(root, "home", "spool"));
  } catch {
    return [];
  }
};

it("trains while the server is away, and tells it everything afterwards", async () => {
  const server: FakeMlflow = await startFakeMlflow();
  onTestFinished(server.close);
  const sink = `--sink=mlflow=${server.url}`;
  server.isAway = true;
  const trained = await bridle("train", params, "--experiment", "away", sink, "--json");
  expect(trained.code, trained.stderr).toBe(0);
  expect(trained.stderr.match(/mlflow does not take what the run tells/g)).toHaveLength(1);
  const { run } = JSON.parse(trained.stdout);
  expect(spooled()).toEqual([
    expect.stringMatching(`^mlflow-${run}-[0-9a-f]{8}-free-[0-9a-f]{8}\\.jsonl$`),
  ]);

  const early = await bridle("runs", "sync", sink, "--json");
  expect(early.code).toBe(8);
  expect(JSON.parse(early.stdout)).toMatchObject({ told: [], waiting: [{ sink: "mlflow", run }] });
  expect((await bridle("runs", "sync", sink)).stderr).toMatch(
    /1 runs could not be told to mlflow; the first: .*503/,
  );
  expect(spooled()).toHaveLength(1);

  server.isAway = false;
  expect(await json("runs", "sync", sink)).toMatchObject({
    told: [{ sink: "mlflow", run }],
    waiting: [],
  });
  expect(spooled()).toEqual([]);
  const told = await toldRun(server, "away", run);
  expect(told.info).toMatchObject({ status: "FINISHED", run_name: "out" });
  const own = await json("runs", "show", run, "--points", "10000");
  for (const key of ["train/loss", "eval/loss"]) {
    const curve = own.curves.find((each: Told) => each.key === key);
    expect(await history(server, told.info.run_id, key), key).toEqual(
      curve.points.map(({ step, mean }: Told) => [step, mean]),
    );
  }
  expect([...server.files.keys()].map((name) => path.basename(name)).toSorted()).toEqual(
    expect.arrayContaining(["bridle.json", "config.json", "environment.json"]),
  );
  const again = await bridle("runs", "sync", sink);
  expect(again.stdout).toBe("Nothing waits to be told.\n");
}, 120_000);

const servers: [string, boolean, () => Promise<MlflowServer>][] = [
  ["a server of our own", true, startFakeMlflow],
  ["the real mlflow server", hasRealMlflow, openRealMlflow],
];

describe.each(servers)("%s", (where, isThere, start) => {
  it.skipIf(!isThere)(
    "has a run that it never heard of, and its model with its alias",
    async () => {
      const server = await start();
      onTestFinished(server.close);
      const sink = `--sink=mlflow=${server.url}`;
      const out = path.join(root, `out-${where.length}`);
      const { run } = await json("train", params, `train.output=${out}`, "--experiment", "late");
      const name = `news${where.length}`;
      await json("models", "add", out, "--name", name, "--run", run);
      await json("models", "promote", `${name}:1`, "--force", "--reason", "toy");
      const told = await json("runs", "sync", run, sink);
      expect(told.told).toEqual([{ sink: "mlflow", run, name: path.basename(out) }]);
      await json("runs", "sync", run, sink);
      const found = await toldRun(server, "late", run);
      expect(found.info.status).toBe("FINISHED");

      expect((await json("models", "sync", name, sink)).told).toEqual([
        { sink: "mlflow", model: name, made: [1], moved: ["champion"] },
      ]);
      await json("models", "add", path.join(root, "toy", "tiny"), "--name", name, "--note", "bare");
      await json("models", "promote", `${name}:2`, "--force", "--reason", "toy");
      expect((await json("models", "sync", name, sink)).told).toEqual([
        { sink: "mlflow", model: name, made: [2], moved: ["champion"] },
      ]);
      expect((await json("models", "sync", name, sink)).told).toMatchObject([
        { made: [], moved: [] },
      ]);
      const { registered_model: model } = await ask(
        server,
        "GET",
        `registered-models/get?name=${name}`,
      );
      expect(model.aliases).toEqual([{ alias: "champion", version: "2" }]);
      const { model_versions: versions } = await ask(
        server,
        "GET",
        `model-versions/search?filter=${encodeURIComponent(`name='${name}'`)}`,
      );
      const [one, two] = versions.toSorted(
        (a: Told, b: Told) => Number(a.version) - Number(b.version),
      );
      expect(one).toMatchObject({ version: "1", run_id: found.info.run_id });
      expect(one.source).toBe(`${found.info.artifact_uri}/registered/${name}-1`);
      expect(two.source).toBe(`bridle:/${name}/2`);
      const { files } = await ask(
        server,
        "GET",
        `artifacts/list?run_id=${found.info.run_id}&path=registered/${name}-1`,
      );
      expect(files.map((file: Told) => path.posix.basename(file.path))).toEqual(
        expect.arrayContaining(["README.md", "config.json", "model.safetensors"]),
      );
    },
    180_000,
  );
});

it("says what is wrong with a sink before anything is trained", async () => {
  const misspelt = await bridle("train", params, "--sink", "mlfow=http://localhost:1");
  expect(misspelt.code).toBe(2);
  expect(misspelt.stderr).toMatch(
    /cannot be told to mlfow: there are mlflow, wandb; did you mean mlflow\?/,
  );
  const bare = await bridle("train", params, "--sink", "mlflow");
  expect(bare.stderr).toMatch(/has no address/);
  expect((await bridle("runs", "sync", "nobody")).code).toBe(2);
  expect((await bridle("models", "sync")).stderr).toMatch(/not said whom to tell/);
});
