// Data that a registered version was trained on outlives a clean-up of everything else; so it can be trained again.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DvcProject } from "../support/dvc-project.js";
import { makeTrainedModel } from "../support/model-packages.js";
import { runBridle } from "../support/run-bridle.js";

let project: DvcProject;
beforeEach(async () => {
  project = await DvcProject.create();
});
afterEach(() => project.remove());

it("is kept by data gc for as long as the version is there, and told by doctor", async () => {
  const env = { BRIDLE_HOME: path.join(project.folder, "home") };
  const bridle = async (args: string[], more: Record<string, string> = {}) => {
    const ran = await runBridle(args, { cwd: project.root, env: { ...env, ...more } });
    expect(ran.code, `${args.join(" ")}: ${ran.stderr}`).toBe(0);
    return ran.stdout;
  };
  const hashOf = (name: string, rows: string) => createHash(name).update(rows).digest("hex");
  const objectOf = (rows: string) => {
    const id = hashOf("md5", rows);
    return `.dvc/cache/files/md5/${id.slice(0, 2)}/${id.slice(2)}`;
  };
  const [trainedOn, between, now] = ["one", "two", "three"].map(
    (each) => `{"document": "${each}"}\n`,
  ) as [string, string, string];
  await project.write("train.jsonl", trainedOn);
  await bridle(["data", "add", "train.jsonl"]);
  await makeTrainedModel(project.at("model"), 1, {
    data: [{ file: "train.jsonl", sha256: hashOf("sha256", trainedOn) }],
  });
  await bridle(["models", "add", "model", "--name", "news"]);
  for (const rows of [between, now]) {
    await project.write("train.jsonl", rows);
    await bridle(["data", "add", "train.jsonl"]);
  }
  await bridle(["data", "gc", "--workspace"]);
  expect([trainedOn, between, now].map((rows) => project.has(objectOf(rows)))).toEqual([
    true,
    false,
    true,
  ]);
  const registry = async () => {
    const { stdout } = await runBridle(["doctor", "--json", "--port", "0"], {
      cwd: project.root,
      env,
    });
    const { checks } = JSON.parse(stdout) as {
      checks: { name: string; status: string; message: string; next?: string }[];
    };
    return checks.find(({ name }) => name === "registry");
  };
  expect(await registry()).toMatchObject({
    status: "ok",
    message: expect.stringContaining("1 version in"),
  });
  const { digest } = JSON.parse(await bridle(["models", "show", "news:1", "--json"]));
  const folder = path.join(env.BRIDLE_HOME, "store", "models", digest);
  expect(existsSync(folder)).toBe(true);
  const files = ["README.md", "config.json", "model.safetensors"];
  for (const name of files) await appendFile(path.join(folder, name), " ");
  const found = await registry();
  expect(found?.status).toBe("fail");
  // Each of them, though other commands stop at the first.
  for (const name of files) expect(found?.message).toContain(`news:1: ${name}`);
  await rm(env.BRIDLE_HOME, { recursive: true });
  const refused = await runBridle(["data", "gc", "--workspace"], { cwd: project.root, env });
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain("Nobody can tell what data registered models were trained on");
  expect(project.has(objectOf(trainedOn))).toBe(true);
  await bridle(["data", "gc", "--workspace", "--allow-unasked"]);
  expect(project.has(objectOf(trainedOn))).toBe(false);
});
