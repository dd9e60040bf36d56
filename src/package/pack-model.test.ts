// Packing a model folder: what goes in, what is said of it, and that the same folder gives the same package.
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  makeModel,
  makeTrainedModel,
  scratchFolder,
  toyEvaluation,
  toyRecord,
} from "../../test/support/model-packages.js";
import { modelVersion } from "../model/model-version.js";
import { readCardFacts } from "./card.js";
import { readEvaluationFile, toEvaluationRecords } from "./evaluation-record.js";
import { openPackageFolder, readPackageFile } from "./model-package.js";
import { packModel, readPackageCard } from "./pack-model.js";
import { writePackage } from "./write-package.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
const at = (...names: string[]) => path.join(scratch.folder, ...names);

beforeAll(async () => {
  scratch = await scratchFolder("pack");
  await makeModel(at("plain"));
  await makeTrainedModel(at("trained"), 2);
});
afterAll(() => scratch.remove());

const facts = {
  description: "News in one sentence.",
  intendedUse: "English news.",
  limitations: "Wrong about numbers.",
  licence: "apache-2.0",
  languages: ["en"],
};

describe("packing", () => {
  it("takes the model's files, a record and a licence, and leaves the rest", async () => {
    const folder = at("full");
    await makeTrainedModel(folder, 2);
    await mkdir(path.join(folder, "adapter"));
    await writeFile(path.join(folder, "adapter", "adapter_config.json"), "{}");
    await writeFile(path.join(folder, "adapter", "notes.txt"), "mine");
    for (const name of ["LICENSE", "README.md", "events.jsonl", "curves.svg", ".trainer.lock"]) {
      await writeFile(path.join(folder, name), name);
    }
    const packed = await packModel(folder);
    expect(packed.manifest.files.map(({ path: name }) => name)).toEqual([
      "LICENSE",
      "README.md",
      "SOURCE-README.md",
      "adapter/adapter_config.json",
      "bridle.json",
      "card.json",
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "signature.json",
      "spiece.model",
      "tokenizer_config.json",
    ]);
    expect((await readPackageFile(packed, "SOURCE-README.md")).toString()).toBe("README.md");
  });

  it("gives the same package for the same folder and facts, and another for another word", async () => {
    const one = await packModel(at("trained"), { facts });
    const again = await packModel(at("trained"), { facts });
    expect(again.manifest.digest).toBe(one.manifest.digest);
    await makeTrainedModel(at("copy"), 2);
    expect((await packModel(at("copy"), { facts })).manifest.digest).toBe(one.manifest.digest);
    const other = await packModel(at("trained"), { facts: { ...facts, licence: "mit" } });
    expect(other.manifest.digest).not.toBe(one.manifest.digest);
  });

  it("tells in the card where the model comes from and how good it is", async () => {
    const version = await modelVersion(at("trained"));
    const evaluations = toEvaluationRecords(
      { evaluations: [toyEvaluation({ model: "trained", version })] },
      "test",
    );
    const packed = await packModel(at("trained"), { facts, evaluations });
    const { card } = packed;
    expect(await readPackageCard(packed)).toEqual(card);
    expect(card.lineage).toMatchObject({
      parent: { name: "google/pegasus-xsum", version: null, digest: null },
      runHash: toyRecord.runHash,
      commit: toyRecord.commit,
      seed: 7,
      step: 20,
    });
    expect(card.data).toEqual(toyRecord.data);
    expect(card.model).toMatchObject({ fingerprint: version, dtype: "float32" });
    expect(card.evaluations[0]).toMatchObject({ data: "test.jsonl", rows: 50 });
    const readme = (await readPackageFile(packed, "README.md")).toString();
    expect(readme).toMatch(/^---\nlicense: apache-2.0\nlanguage:\n {2}- en\n/);
    expect(readme).toContain("base_model: google/pegasus-xsum");
    for (const text of [
      "News in one sentence.",
      "English news.",
      "Wrong about numbers.",
      "| ROUGE-1 | 40.00 | 38.00 to 42.00 |",
      `| \`train.jsonl\` | \`${"2".repeat(64)}\` |`,
      `| Git commit | \`${toyRecord.commit}\` |`,
      "| loss | 2.5000 |",
      "| Tokens read at once | 64; longer documents are read in parts |",
    ]) {
      expect(readme).toContain(text);
    }
    const signature = JSON.parse((await readPackageFile(packed, "signature.json")).toString());
    expect(signature).toMatchObject({
      task: "summarization",
      limits: { maxInputTokens: 64, maxNewTokens: 64 },
      defaults: { numBeams: 2, maxLength: 16 },
    });
  });

  it("states no licence where none is known, and takes the folder's or the parent's where one is", async () => {
    const { card } = await packModel(at("plain"));
    expect(card.licence).toEqual({ id: null, source: "none" });
    const inherited = await packModel(at("trained"), {
      licenceOf: async ({ name }) => (name === "google/pegasus-xsum" ? "cc-by-4.0" : null),
    });
    expect(inherited.card.licence).toEqual({ id: "cc-by-4.0", source: "parent" });
    await makeModel(at("licensed"));
    await writeFile(at("licensed", "README.md"), "---\nlicense: mit\ntags: [a]\n---\n# It\n");
    expect((await packModel(at("licensed"))).card.licence).toEqual({ id: "mit", source: "model" });
    await writeFile(at("licensed", "README.md"), "---\nlicense: [1\n---\n");
    expect((await packModel(at("licensed"))).card.licence.id).toBeNull();
  });

  it("packs an exported package again with what its card said, and what is newly said above it", async () => {
    await writePackage(await packModel(at("trained"), { facts }), at("exported"));
    const again = await packModel(at("exported"), { facts: { description: "Newer." } });
    expect(again.card).toMatchObject({
      description: "Newer.",
      intendedUse: "English news.",
      licence: { id: "apache-2.0", source: "given" },
      data: toyRecord.data,
    });
    const untouched = await packModel(at("exported"));
    expect(untouched.manifest.digest).toBe(
      (await openPackageFolder(at("exported"))).manifest.digest,
    );
  });

  it("keeps Markdown of facts from running or ending the page", async () => {
    const { card } = await packModel(at("plain"), {
      facts: { description: "# Title\n<script>alert(1)</script>\n---\nend" },
    });
    expect(card.description).toContain("<script>");
    const packed = await packModel(at("plain"), { facts: { description: card.description ?? "" } });
    const readme = (await readPackageFile(packed, "README.md")).toString();
    expect(readme).toContain("\\# Title\n&lt;script>alert(1)&lt;/script>\n\\---\nend");
  });

  it("refuses an evaluation of another model", async () => {
    const evaluations = toEvaluationRecords(
      toyEvaluation({ model: "other", version: "0123456789ab" }),
      "eval.json",
    );
    await expect(packModel(at("plain"), { evaluations })).rejects.toMatchObject({
      code: "EVALUATION_INVALID",
      message: expect.stringContaining("0123456789ab"),
    });
  });

  it("refuses what could not be served: a missing weight, another tokenizer, no config", async () => {
    const folder = at("broken");
    await makeModel(folder);
    const config = JSON.parse(await readFile(path.join(folder, "config.json"), "utf8"));
    await writeFile(
      path.join(folder, "config.json"),
      JSON.stringify({ ...config, encoder_layers: 3 }),
    );
    await expect(packModel(folder)).rejects.toMatchObject({ code: "WEIGHT_MISSING" });
    await rm(path.join(folder, "spiece.model"));
    await expect(packModel(folder)).rejects.toMatchObject({ code: "TOKENIZER_NOT_FOUND" });
    await rm(path.join(folder, "config.json"));
    await expect(packModel(folder)).rejects.toMatchObject({ code: "FILE_INVALID" });
    await writeFile(at("trained", "..", "file"), "");
    await expect(packModel(at("file"))).rejects.toMatchObject({ code: "FILE_INVALID" });
  });

  it("notices a file that changes while it is packed", async () => {
    await makeModel(at("moving"));
    const packed = await packModel(at("moving"));
    await packed.checkUnchanged();
    await appendFile(at("moving", "config.json"), " ");
    await expect(packed.checkUnchanged()).rejects.toMatchObject({
      code: "PACKAGE_SOURCE_CHANGED",
      message: expect.stringContaining("config.json"),
    });
    await expect(writePackage(packed, at("moved"))).rejects.toMatchObject({
      code: "PACKAGE_ALTERED",
    });
  });

  it("stops when it is cancelled", async () => {
    const signal = AbortSignal.abort();
    await expect(packModel(at("plain"), { signal })).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("files beside a model", () => {
  it("with facts are read as YAML, and unknown keys are told", async () => {
    const file = at("card.yaml");
    await writeFile(file, "intendedUse: English news.\nlicence: mit\nlanguages: [en]\n");
    expect(await readCardFacts(file)).toEqual({
      intendedUse: "English news.",
      licence: "mit",
      languages: ["en"],
    });
    await writeFile(file, "license: mit\n");
    await expect(readCardFacts(file)).rejects.toMatchObject({
      code: "FILE_INVALID",
      message: expect.stringContaining("licence"),
    });
  });

  it("with evaluations are those of `bridle evaluate --json`", async () => {
    const file = at("eval.json");
    const evaluation = toyEvaluation({ model: "m", version: "v" });
    await writeFile(file, JSON.stringify({ evaluations: [evaluation] }));
    const [record] = await readEvaluationFile(file);
    expect(record).toMatchObject({ data: "test.jsonl", digest: null, rows: { scored: 50 } });
    expect(record?.scores.rouge1).toEqual({ mean: 0.4, low: 0.38, high: 0.42000000000000004 });
    for (const wrong of ["{}", '{"evaluations": []}', '{"evaluations": [{"data": 1}]}']) {
      await writeFile(file, wrong);
      await expect(readEvaluationFile(file)).rejects.toMatchObject({ code: "EVALUATION_INVALID" });
    }
    await expect(readEvaluationFile(at("none.json"))).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
  });

  it("with records that are no records are refused by their key", async () => {
    await makeTrainedModel(at("odd"), 1, { runHash: "abc" });
    await expect(packModel(at("odd"))).rejects.toMatchObject({
      code: "FILE_INVALID",
      message: expect.stringContaining("runHash"),
    });
  });
});
