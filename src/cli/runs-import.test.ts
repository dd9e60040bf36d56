// `bridle runs import` through the program: what is told of runs that are spoilt, and the exit code.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { runProgram } from "./program.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-import-command-"));
afterAll(() => rmSync(root, { recursive: true }));

async function bridle(home: string, ...args: readonly string[]) {
  const terminal = createMemoryTerminal({ env: { BRIDLE_HOME: path.join(root, home) } });
  const thrown = await runProgram(args, terminal).catch((error: unknown) => error);
  return { thrown, out: terminal.out(), err: terminal.err() };
}

const runs = path.join(root, "mlruns");
for (const [name, meta] of [
  ["a", "status: 3\n"],
  ["b", "status: [\n"],
  ["c", "status: 4\n"],
  ["d", "start_time: soon\n"],
] as const) {
  mkdirSync(path.join(runs, "7", name), { recursive: true });
  writeFileSync(path.join(runs, "7", name, "meta.yaml"), `run_id: ${name}\n${meta}`);
}
writeFileSync(path.join(runs, "7", "meta.yaml"), "name: news\n");

it("imports the others, names each that is spoilt, and ends with an error that counts them", async () => {
  const { thrown, out, err } = await bridle("one", "runs", "import", runs, "--from", "mlflow");
  expect(thrown).toMatchObject({
    ...{ code: "IMPORT_INCOMPLETE", kind: "invalid" },
    message: expect.stringMatching(
      /^2 of 4 are not imported whole, the first of them b: .*meta\.yaml.*[^.]\.$/,
    ),
  });
  expect(out.trim().split("\n")).toEqual([
    expect.stringMatching(/^\S+ {2}news {2}a {2}0 points, 0 files$/),
    expect.stringMatching(/^\S+ {2}news {2}c {2}0 points, 0 files$/),
  ]);
  expect(err).toMatch(/warning: d is not imported whole: .*"soon" is no time/);
  const { out: told } = await bridle("one", "runs", "list", "--json");
  expect(
    JSON.parse(told)
      .runs.map(({ name }: { name: string }) => name)
      .sort(),
  ).toEqual(["a", "c"]);
});

it("tells the same as one JSON value", async () => {
  const command = ["runs", "import", runs, "--from", "mlflow", "--json"];
  const { thrown, out } = await bridle("two", ...command);
  expect(thrown).toMatchObject({ code: "IMPORT_INCOMPLETE" });
  expect(JSON.parse(out)).toMatchObject({
    imported: [{ name: "a" }, { name: "c" }],
    failed: [
      { name: "b", code: "YAML_INVALID" },
      { name: "d", code: "FILE_INVALID" },
    ],
  });
});

it("takes a table of W&B's page, and says what a file is that is none", async () => {
  const file = path.join(root, "wandb_export.csv");
  writeFileSync(file, "Name,State,lr\nowl,finished,0.1\n");
  const { thrown, out } = await bridle("three", "runs", "import", file, "--from", "wandb");
  expect(thrown).toBeUndefined();
  expect(out).toMatch(/wandb_export {2}owl {2}0 points/);
  const other = path.join(root, "other.txt");
  writeFileSync(other, "hello\n");
  const refused = await bridle("three", "runs", "import", other, "--from", "mlflow");
  expect(refused.thrown).toMatchObject({
    message: expect.stringMatching(/neither a folder `mlruns` nor a database/),
    hint: expect.stringMatching(/mlflow server/),
  });
});

it("shows no control characters of what others wrote", async () => {
  const sly = path.join(root, "sly");
  const name = "a\u001b]0;title\u0007\u009b2Jb\nfake";
  for (const [file, text] of [
    ["7/meta.yaml", 'name: "news\\e[2J"\n'],
    ["7/a/meta.yaml", `run_id: a\nrun_name: ${JSON.stringify(name)}\nstatus: 3\n`],
    ["7/a/tags/note\u001b[1m", "one\u001b[31m\rtwo"],
    ["7/b/meta.yaml", `run_id: b\nrun_name: ${JSON.stringify(name)}\nstart_time: soon\n`],
    ["7/c/meta.yaml", "run_id: c\nstart_time: soon\n"],
  ] as const) {
    mkdirSync(path.dirname(path.join(sly, file)), { recursive: true });
    writeFileSync(path.join(sly, file), text);
  }
  const imported = await bridle("sly", "runs", "import", sly, "--from", "mlflow");
  const listed = await bridle("sly", "runs", "list");
  const id = /^\S+/.exec(imported.out)?.[0] ?? "";
  const shown = await bridle("sly", "runs", "show", id, "--params", "--logs");
  for (const text of [imported.out, imported.err, listed.out, shown.out]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|^fake/m);
  }
  expect(imported.out).toMatch(/^\S+ {2}news \[2J {2}a \]0;title {2}2Jb fake {2}0 points/);
  expect(shown.out).toContain("one [31m two");
  const { runs: told } = JSON.parse((await bridle("sly", "runs", "list", "--json")).out);
  expect(told).toMatchObject([{ name }]);
});
