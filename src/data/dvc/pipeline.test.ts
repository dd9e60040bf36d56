// Stages of dvc.yaml: variables, loops, matrices and the lock file, to the commands and paths that dvc 3.67.1 makes of them.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import nodePath from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ParsingOptions } from "./interpolation.js";
import { diffValues, type FilesData } from "./metrics.js";
import { readParamsFile, selectValues, valueAt } from "./params-file.js";
import { lockFileOf, readPipeline } from "./pipeline.js";
import { WorkingTree } from "./source-tree.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(nodePath.join(tmpdir(), "bridle-pipeline-"));
  await put({ "params.yaml": params, "other.yaml": "flag: true\n", "nested.yaml": nested });
});
afterEach(() => rm(root, { recursive: true }));

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = nodePath.join(root, name);
    await mkdir(nodePath.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

const params = `train: {rate: 0.1, layers: [1, 2], name: "a b", verbose: true, quiet: false}
seed: 7
sets: [news, talk]
`;
const nested = "a: 1\nb: two\nc: unused\n";
const pipeline = `vars:
  - nested.yaml:a,b
  - extra: {list: [x, y], map: {one: {size: 1}, two: {size: 2}}}
stages:
  fit:
    cmd: python fit.py \${train} --seed \${seed} \\\${KEEP}
    deps: ['data/\${b}.csv']
    params:
      - train.rate
      - seed
      - other.yaml:
          - flag
    outs: [model.bin, {logs: {cache: false, persist: true}}]
    metrics: [{scores.json: {cache: false}}]
  each:
    foreach: \${sets}
    do:
      cmd: echo \${item}
      outs: ['out/\${item}.txt']
  named:
    foreach: \${extra.map}
    do:
      cmd: echo \${key} \${item.size}
  grid:
    matrix:
      a: \${extra.list}
      b: [1, 2.5, true]
    cmd: echo \${item.a} \${item.b} \${key}
  inside:
    wdir: sub
    vars: [{here: 3}]
    cmd: echo \${here} \${extra.list[1]} \${train.layers[0]}
    always_changed: true
    frozen: true
metrics: [all.json]
params: [other.yaml]
`;
const usual: ParsingOptions = { bool: "store_true", list: "nargs" };

const read = (options = usual) => readPipeline(new WorkingTree(root), "dvc.yaml", options);

describe("a pipeline", () => {
  it("has the stages, commands and paths that dvc makes of it", async () => {
    await put({ "dvc.yaml": pipeline });
    const { stages, metrics, params: named } = await read();
    expect(
      stages.map(({ address, command, folder, isFrozen }) => [address, command, folder, isFrozen]),
    ).toEqual([
      [
        "fit",
        `python fit.py --rate 0.1 --layers 1 2 --name 'a b' --verbose --seed 7 \${KEEP}`,
        "",
        false,
      ],
      ["each@news", "echo news", "", false],
      ["each@talk", "echo talk", "", false],
      ["named@one", "echo one 1", "", false],
      ["named@two", "echo two 2", "", false],
      ["grid@x-1", "echo x 1 x-1", "", false],
      ["grid@x-2.5", "echo x 2.5 x-2.5", "", false],
      ["grid@x-true", "echo x true x-true", "", false],
      ["grid@y-1", "echo y 1 y-1", "", false],
      ["grid@y-2.5", "echo y 2.5 y-2.5", "", false],
      ["grid@y-true", "echo y true y-true", "", false],
      ["inside", "echo 3 y 1", "sub", true],
    ]);
    const [fit, each] = stages;
    expect(fit?.dependencies.map(({ path }) => path)).toEqual(["data/two.csv"]);
    expect(fit?.params.map(({ path, names }) => [path, names])).toEqual([
      ["params.yaml", ["train.rate", "seed"]],
      ["other.yaml", ["flag"]],
    ]);
    expect(
      fit?.outputs.map(({ path, isCached, isMetric, isPersistent }) => [
        path,
        isCached,
        isMetric,
        isPersistent,
      ]),
    ).toEqual([
      ["model.bin", true, false, false],
      ["logs", false, false, true],
      ["scores.json", false, true, false],
    ]);
    expect(each?.outputs.map(({ path }) => path)).toEqual(["out/news.txt"]);
    expect(metrics).toEqual(["all.json"]);
    expect(named).toEqual(["other.yaml"]);
    expect(stages.at(-1)?.alwaysChanged).toBe(true);
  });

  it("writes flags as its options say", async () => {
    await put({ "dvc.yaml": `stages: {fit: {cmd: 'run \${train}'}}\n` });
    const { stages } = await read({ bool: "boolean_optional", list: "append" });
    expect(stages[0]?.command).toBe(
      "run --rate 0.1 --layers 1 --layers 2 --name 'a b' --verbose --no-quiet",
    );
  });

  it("knows from its lock what a stage was last run with", async () => {
    const lock = (cmd: string) => `schema: '2.0'
stages:
  fit:
    cmd: ${cmd}
    deps:
    - path: in.csv
      md5: d41d8cd98f00b204e9800998ecf8427e
      size: 0
    params:
      params.yaml:
        seed: 5
        gone: 1
    outs:
    - path: out.csv
      md5: 0cc175b9c0f1b6a831c399e269772661
      size: 1
`;
    await put({
      "dvc.yaml":
        "stages: {fit: {cmd: make it, deps: [in.csv], params: [seed], outs: [out.csv]}}\n",
      "dvc.lock": lock("make it"),
    });
    const [same] = (await read()).stages;
    expect(same?.commandChanged).toBe(false);
    expect(same?.dependencies[0]?.content?.hash.id).toBe("d41d8cd98f00b204e9800998ecf8427e");
    expect(same?.outputs[0]?.content?.hash.id).toBe("0cc175b9c0f1b6a831c399e269772661");
    expect(same?.params[0]?.values).toEqual({ seed: 5 });
    await put({ "dvc.lock": lock("make it otherwise") });
    expect((await read()).stages[0]?.commandChanged).toBe(true);
    // The first form of the file had its stages at the top.
    await put({ "dvc.lock": "fit:\n  cmd: make it\n" });
    expect((await read()).stages[0]?.commandChanged).toBe(false);
    expect(lockFileOf("deep/dvc.yaml")).toBe("deep/dvc.lock");
  });

  it.each([
    ["a list", "[1, 2]\n", /no mapping/],
    ["vars that are no list", "vars: {a: 1}\n", /vars must be a list/],
    ["an entry of vars that is a number", "vars: [3]\n", /neither a file nor a mapping/],
    ["a file of vars that is not there", "vars: [absent.yaml]\n", /'absent.yaml' does not exist/],
    ["a file of vars elsewhere", "vars: [../up.yaml]\n", /outside the repository/],
    ["a key that a file does not have", "vars: ['nested.yaml:zz']\n", /could not find 'zz'/],
    ["a file taken twice", "vars: ['nested.yaml:a', nested.yaml]\n", /loaded already/],
    ["a name given twice", "vars: [{seed: 1}]\n", /cannot redefine 'seed'/],
    ["a stage that is a text", "stages: {fit: make}\n", /stage fit is no mapping/],
    ["a stage without command", "stages: {fit: {deps: [a]}}\n", /has no cmd/],
    ["a name that nobody gave", `stages: {fit: {cmd: 'echo \${nobody}'}}\n`, /Could not find/],
    ["a list in a command", `stages: {fit: {cmd: 'echo \${sets}'}}\n`, /Cannot interpolate a list/],
    ["a dict in a path", `stages: {fit: {cmd: x, deps: ['\${train}']}}\n`, /interpolate a dict/],
    ["a loop without a body", "stages: {fit: {foreach: [1]}}\n", /foreach without do/],
    ["a loop over a number", "stages: {fit: {foreach: 3, do: {cmd: x}}}\n", /neither a list nor/],
    ["a matrix that is a list", "stages: {fit: {matrix: [1], cmd: x}}\n", /is no mapping/],
    ["an axis that is a number", "stages: {fit: {matrix: {a: 1}, cmd: x}}\n", /axis of the matrix/],
    ["a folder elsewhere", "stages: {fit: {cmd: x, wdir: ../..}}\n", /outside the repository/],
    ["outs that are no list", "stages: {fit: {cmd: x, outs: 3}}\n", /outs of stage fit is no list/],
    ["deps that are no list", "stages: {fit: {cmd: x, deps: 3}}\n", /deps of stage fit is no list/],
    ["a path that is a list", "stages: {fit: {cmd: x, deps: [[a]]}}\n", /a path is no text/],
    ["metrics that are no list", "metrics: {a: 1}\n", /must be lists of files/],
  ])("with %s is refused by what is wrong", async (_, text, reason) => {
    await put({ "dvc.yaml": text });
    await expect(read()).rejects.toMatchObject({
      code: "DVC_FILE_INVALID",
      details: { file: "dvc.yaml", reason: expect.stringMatching(reason) },
    });
  });

  it("with a lock that holds a list is refused by the lock's name", async () => {
    await put({ "dvc.yaml": "stages: {fit: {cmd: x}}\n", "dvc.lock": "[1]\n" });
    await expect(read()).rejects.toMatchObject({ details: { file: "dvc.lock" } });
  });
});

describe("parameters", () => {
  it("are read from YAML and JSON, and found by dotted names", () => {
    const data = readParamsFile(params, "params.yaml");
    expect(valueAt(data, "train.layers")).toEqual([1, 2]);
    expect(valueAt(data, "train.nothing")).toBeUndefined();
    expect(selectValues(data, ["seed", "train.name"])).toEqual({ seed: 7, train: { name: "a b" } });
    expect(readParamsFile('{"a": {"b": [1]}}', "p.json")).toEqual({ a: { b: [1] } });
    expect(() => readParamsFile("{", "p.json")).toThrow(/p\.json/);
  });

  it("differ by file and dotted name; numbers also by how much", () => {
    const before: FilesData = {
      "params.yaml": { data: { a: 1, b: { c: 2 }, list: [1, 2], same: "x" } },
      "gone.yaml": { data: { old: 1 } },
      "bad.yaml": { error: { type: "YAMLError", msg: "broken" } },
    };
    const after: FilesData = {
      "params.yaml": { data: { a: 4, b: { c: "two" }, list: [1, 3], same: "x", fresh: true } },
      "bad.yaml": { data: { now: 1 } },
    };
    expect(diffValues(before, after)).toEqual({
      "params.yaml": {
        a: { old: 1, new: 4, diff: 3 },
        "b.c": { old: 2, new: "two" },
        list: { old: "[1, 2]", new: "[1, 3]" },
        fresh: { old: null, new: true },
      },
      "gone.yaml": { old: { old: 1, new: null } },
      "bad.yaml": { now: { old: null, new: 1 } },
    });
    expect(diffValues(before, before)).toEqual({});
    expect(Object.keys(diffValues(before, before, true)["params.yaml"] ?? {})).toContain("same");
  });
});
