// What somebody sees in MLflow of a run and a model that Bridle told it of: what its page asks for, and the page in Chromium.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumMissing, findChromium, openChromium } from "../../scripts/chromium.mjs";
import { createMlflowSink } from "../../src/adapters/track/mlflow.js";
import { createMlflowModels } from "../../src/adapters/track/mlflow-models.js";
import { openBlobStore } from "../../src/compose.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import { putArtifact } from "../../src/track/artifacts.js";
import { hasRealMlflow, type MlflowServer, openRealMlflow } from "../support/mlflow-servers.js";
import { madeRun, point } from "../support/tracked-runs.js";

// biome-ignore lint/suspicious/noExplicitAny: answers of MLflow, which the tests look at
type Told = any;

const experiment = "seen";
const model = "seen-news";
const at = 1_700_000_000_000;
const run = madeRun("ssss2222", { experiment, name: "brave-owl", startedAt: at, commit: "c0ffee" });
const executablePath = findChromium();
/** On CI a missing browser is a fault of the set-up, not a reason to skip. */
const hasChromium = executablePath !== undefined || process.env.CI === "true";

describe.skipIf(!hasRealMlflow)("the page of the real mlflow server", () => {
  const root = mkdtempSync(path.join(tmpdir(), "bridle-mlflow-page-"));
  let artifacts: BlobStore;
  let server: MlflowServer;
  let experimentId: string;
  let runId: string;

  /** As its page asks, which is not how its clients do. */
  const ask = async (method: "GET" | "POST", name: string, asked: object): Promise<Told> => {
    const query =
      method === "GET" ? `?${new URLSearchParams(asked as Record<string, string>)}` : "";
    const response = await fetch(`${server.url}/ajax-api/2.0/mlflow/${name}${query}`, {
      method,
      ...(method === "POST" && {
        body: JSON.stringify(asked),
        headers: { "content-type": "application/json" },
      }),
    });
    expect([name, response.status]).toEqual([name, 200]);
    return await response.json();
  };

  beforeAll(async () => {
    artifacts = (await openBlobStore({ url: root, options: {}, env: {} })) as BlobStore;
    server = await openRealMlflow();
    const put = (name: string, text: string) => putArtifact(artifacts, name, text, "text/plain");
    const sink = createMlflowSink({ url: server.url, env: {}, artifacts });
    await sink.send(run, [
      { type: "start", run, fromStep: 0 },
      { type: "params", values: { "train.learningRate": "0.0003" } },
      {
        type: "points",
        points: Array.from({ length: 400 }, (_, step) =>
          point("train/loss", step, 4 / (1 + step / 40), at + step * 100),
        ),
      },
      { type: "artifact", artifact: await put("code/git.diff", "+ a line\n") },
      { type: "end", status: "finished", at: at + 60_000, error: "" },
    ]);
    await sink.close();
    const models = createMlflowModels({ url: server.url, env: {} });
    const text = new TextEncoder().encode("# It\n");
    const card = {
      ...{ path: "README.md", sizeBytes: text.length },
      async *open() {
        yield text;
      },
    };
    const version = { version: 1, description: "It", tags: {}, run, files: [card] };
    await models.tellModel({
      name: model,
      versions: [version, { ...version, version: 2 }],
      aliases: [{ alias: "champion", version: 2 }],
    });
    await models.close();
    const found = await ask("GET", "experiments/get-by-name", { experiment_name: experiment });
    experimentId = found.experiment.experiment_id;
    const { runs } = await ask("POST", "runs/search", { experiment_ids: [experimentId] });
    runId = runs[0].info.run_id;
  }, 120_000);
  afterAll(() => rmSync(root, { recursive: true }));

  it("is told the run, its curve, its files and the version that it became", async () => {
    const { runs } = await ask("POST", "runs/search", { experiment_ids: [experimentId] });
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({
      info: { run_name: "brave-owl", status: "FINISHED", start_time: at, end_time: at + 60_000 },
      data: {
        params: [{ key: "train.learningRate", value: "0.0003" }],
        metrics: [{ key: "train/loss", step: 399, value: 4 / (1 + 399 / 40) }],
      },
    });
    const curve = { run_id: runId, metric_key: "train/loss", max_results: "25000" };
    const { metrics } = await ask("GET", "metrics/get-history", curve);
    expect(metrics.map(({ step }: Told) => step)).toEqual([...Array(400).keys()]);
    const drawn = { run_ids: runId, metric_key: "train/loss", max_results: "100" };
    const some = (await ask("GET", "metrics/get-history-bulk-interval", drawn)).metrics;
    expect(some.length).toBeGreaterThan(50);
    expect(some[0]).toMatchObject({ step: 0, value: 4 });
    const { files } = await ask("GET", "artifacts/list", { run_id: runId });
    expect(files.map((file: Told) => file.path)).toEqual(["code", "registered"]);
    const shown = await fetch(`${server.url}/get-artifact?path=code/git.diff&run_uuid=${runId}`);
    expect(await shown.text()).toBe("+ a line\n");
    const { registered_model: named } = await ask("GET", "registered-models/get", { name: model });
    expect(named.aliases).toEqual([{ alias: "champion", version: "2" }]);
    const alias = { name: model, alias: "champion" };
    const { model_version: champion } = await ask("GET", "registered-models/alias", alias);
    expect(champion).toMatchObject({ version: "2", run_id: runId, aliases: ["champion"] });
  });

  describe.skipIf(!hasChromium)(
    hasChromium ? "in Chromium" : `in Chromium (skipped: ${chromiumMissing})`,
    () => {
      let browser: Browser;
      beforeAll(async () => {
        if (executablePath === undefined) throw new Error(chromiumMissing);
        browser = await openChromium(executablePath);
      });
      afterAll(async () => await browser?.close());

      const see = async (where: string, ...texts: readonly (string | RegExp)[]) => {
        const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
        // Nothing of it is fetched from elsewhere.
        await page.route(
          (url) => url.origin !== server.url,
          (route) => route.abort(),
        );
        await page.goto(`${server.url}/#${where}`);
        for (const text of texts) await page.getByText(text).first().waitFor();
        return page;
      };

      it("shows the run with its metric, its parameter and the version that it became", async () => {
        const page = await see(
          `/experiments/${experimentId}/runs/${runId}`,
          ...["brave-owl", "train/loss", "train.learningRate", "0.0003", model],
        );
        await page.close();
      });

      it("draws the curve", async () => {
        const page = await see(
          `/experiments/${experimentId}/runs/${runId}/model-metrics`,
          "train/loss",
        );
        const trace = page.locator(".js-plotly-plot .scatterlayer .trace path.js-line").first();
        await trace.waitFor();
        // A curve, of which points that lie on a line are left out.
        expect((await trace.getAttribute("d"))?.match(/L/g)?.length).toBeGreaterThan(10);
        await page.close();
      });

      it("shows the model's versions and where the alias points", async () => {
        const page = await see(`/models/${model}`, model, /champion/);
        const row = page.getByRole("row").filter({ hasText: "Version 2" });
        await row.getByText(/champion/).waitFor();
        await page.close();
      });
    },
  );
});
