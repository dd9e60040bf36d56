// `bridle data` as processes: stages with their state, and several that add at once.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../support/dvc-project.js";
import { runBridle } from "../support/run-bridle.js";

let project: DvcProject;
beforeEach(async () => {
  project = await DvcProject.create();
});
afterEach(() => project.remove());

const data = (...args: string[]) => runBridle(["data", ...args], { cwd: project.root });
async function json(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await data(...args, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

const pipeline = `stages:
  train:
    cmd: python train.py
    deps: [rows]
    params: [rate]
    outs: [model]
    metrics: [{scores.json: {cache: false}}]
  each:
    foreach: [a, b]
    do: {cmd: 'echo \${item}', deps: [model], outs: ['out-\${item}']}
`;

describe("a repository with stages", () => {
  beforeEach(async () => {
    await project.write("dvc.yaml", pipeline);
    await project.write("params.yaml", "rate: 0.5\nepochs: 1\n");
    for (const name of ["rows", "model", "out-a", "out-b"]) await project.write(name, name);
    await project.write("scores.json", '{"loss": 1.0, "rouge": {"one": 2}}');
    await data("commit");
    await project.commit("v1");
    await project.write("params.yaml", "rate: 0.25\nepochs: 1\n");
    await project.write("scores.json", '{"loss": 0.5, "rouge": {"one": 2}}');
  });

  it("lists stages with their state, and draws their graph", async () => {
    const { stages } = (await json("stages")) as { stages: Record<string, unknown>[] };
    expect(stages.map(({ stage }) => stage)).toEqual(["train", "each@a", "each@b"]);
    expect(stages[0]).toMatchObject({
      command: "python train.py",
      dependencies: ["rows"],
      params: { "params.yaml": ["rate"] },
      outputs: ["model"],
      metrics: ["scores.json"],
      status: [
        { "changed deps": { "params.yaml": { rate: "modified" } } },
        { "changed outs": { "scores.json": "modified" } },
      ],
    });
    expect(stages[1]).toMatchObject({ command: "echo a", status: [] });
    const { stdout } = await data("stages", "--dot");
    expect(stdout).toContain('"train" -> "each@a";');
    const told = await data("stages");
    expect(told.stdout).toContain("train: changed\n  $ python train.py\n");
    expect(told.stdout).toContain("each@b: as it was\n");
  }, 60_000);
});

it("two processes that add at once both get through, and lose nothing of each other's", async () => {
  for (const set of ["one", "two", "three"]) {
    for (let i = 0; i < 60; i++) await project.write(`${set}/${i}`, `${set} ${i}`);
  }
  const added = await Promise.all(["one", "two", "three"].map((set) => data("add", set)));
  expect(added.map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ""],
    [0, ""],
    [0, ""],
  ]);
  expect(project.read(".gitignore").trim().split("\n").toSorted()).toEqual([
    "/one",
    "/three",
    "/two",
  ]);
  expect(await json("status")).toEqual({});
  expect(await json("checkout", "--force")).toMatchObject({ missing: [] });
}, 60_000);
