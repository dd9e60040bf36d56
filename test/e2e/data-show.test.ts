// `bridle data show` and `bridle data diff` as typed: metrics and parameters, word for word as dvc 3.67 prints them.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DvcProject } from "../support/dvc-project.js";
import { runBridle } from "../support/run-bridle.js";

let project: DvcProject;
beforeAll(async () => {
  project = await DvcProject.create();
  await project.write("params.yaml", "train:\n  epochs: 3\n  learningRate: 1.0e-3\ntags: [a, b]\n");
  await project.write(
    "dvc.yaml",
    "metrics:\n- metrics.json\n- missing.json\nparams:\n- other.json\n",
  );
  await project.write(
    "metrics.json",
    '{"rouge": {"rougeL": 33.0, "rouge1": 37.09}, "steps": 984, "note": "text", "list": [1]}',
  );
  await project.write("other.json", '{"a": 1e-5}');
  await project.commit("v1");
});
afterAll(() => project.remove());

const bridle = (...args: string[]) => runBridle(["data", ...args], { cwd: project.root });

describe("bridle data show", () => {
  it("answers --metrics --json as `dvc metrics show --json`", async () => {
    const measured =
      '{"data": {"metrics.json": {"data": {"rouge": {"rougeL": 33.0, "rouge1": 37.09}, "steps": 984, "note": "text"}}, ' +
      `"missing.json": {"error": {"type": "FileNotFoundError", "msg": "[Errno 2] No such file or directory: 'missing.json'"}}}}`;
    const { stdout, code } = await bridle("show", "--metrics", "--json");
    expect([stdout, code]).toEqual([`{"": ${measured}}\n`, 0]);
    const tagged = await bridle("show", "v1", "--metrics", "--json");
    expect(tagged.stdout).toBe(`{"v1": ${measured}}\n`);
  });

  it("shows parameters, by file, in a revision and in the working folder", async () => {
    await project.write("other.json", '{"a": 2e-5}');
    const { stdout } = await bridle("show", "--params");
    expect(stdout).toContain("params.yaml:\n  train.epochs: 3\n  train.learningRate: 0.001\n");
    expect(stdout).toContain("other.json:\n  a: 2e-05\n");
    const before = await bridle("show", "v1", "--params", "--targets", "other.json");
    expect(before.stdout).toBe("v1:\n  other.json:\n    a: 1e-05\n");
    const json = await bridle("show", "--params", "--json", "--targets", "other.json");
    expect(json.stdout).toBe('{"": {"data": {"other.json": {"data": {"a": 2e-05}}}}}\n');
  });

  it("tells a file that is not there, and what to choose", async () => {
    const { stdout } = await bridle("show", "--metrics");
    expect(stdout).toContain("missing.json:\n  not read: [Errno 2] No such file or directory");
    for (const flags of [[], ["--metrics", "--params"]]) {
      const { code, stderr } = await bridle("show", ...flags);
      expect(code).toBe(2);
      expect(stderr).toContain("either --metrics or --params");
    }
    const unknown = await bridle("show", "v9", "--metrics");
    expect(unknown.code).not.toBe(0);
    expect(unknown.stderr).toContain("v9");
  });
});
