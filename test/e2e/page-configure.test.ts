// The form of a run's configuration in a real browser: fields from the schema, checked as they are filled in.
import { expect, it } from "vitest";
import { parse } from "yaml";
import { barriers, describePage, startPages } from "./page-driver.js";

describePage("the form of a run's configuration", () => {
  const open = startPages();

  it("makes params.yaml of what is filled in, checked by the server, and keeps it over a reload", async () => {
    const page = await open({}, "/configure");
    await page.getByLabel("Name", { exact: true }).fill("google/pegasus-xsum");
    await page.getByRole("tab", { name: "Data" }).click();
    await page.getByRole("combobox", { name: "Train" }).fill("pairs.jsonl");
    await page.keyboard.press("Enter");
    await page.getByRole("tab", { name: /^Train/ }).click();
    // Key by key: half a number is none yet.
    await page.getByLabel("Epochs").pressSequentially("2.05");
    await page.getByRole("group", { name: "Optimizer" }).getByLabel("Name").click();
    await page.getByRole("option", { name: "adafactor" }).click();
    await page.getByText("4 keys set, all of them valid.").waitFor();
    const yaml = page.getByRole("region", { name: "params.yaml" });
    const expected = {
      model: { name: "google/pegasus-xsum" },
      data: { train: ["pairs.jsonl"] },
      train: { epochs: 2.05, optimizer: { name: "adafactor" } },
    };
    expect(parse(await yaml.innerText())).toEqual(expected);
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    expect(parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual(expected);
    expect(await barriers(page)).toEqual([]);

    await page.reload();
    await page.getByText("4 keys set, all of them valid.").waitFor();
    await page.getByRole("button", { name: "Empty the form" }).click();
    await page.getByText("Nothing is set yet").waitFor();
  });

  it("says what is wrong while it is typed", async () => {
    const page = await open({}, "/configure");
    await page.getByRole("tab", { name: "Evaluate" }).click();
    await page.getByLabel("Max rows").fill("0");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.innerText()).toContain("evaluate.maxRows");
    expect(await barriers(page)).toEqual([]);
    await page.getByLabel("Max rows").fill("10");
    await alert.filter({ hasNotText: "evaluate.maxRows" }).waitFor();
    expect(await alert.innerText()).toContain("data: it is needed, and nothing is set");
  });

  it("takes a group with all its defaults, one option in place of texts, and none", async () => {
    const page = await open({}, "/configure");
    const yaml = page.getByRole("region", { name: "params.yaml" });
    await page.getByLabel("Use lora").click();
    await yaml.getByText("lora: {}").waitFor();
    await page.getByRole("combobox", { name: "Targets" }).fill("all-linear");
    await page.keyboard.press("Enter");
    await page.getByRole("tab", { name: /^Train/ }).click();
    await page.getByLabel("Max grad norm: none").click();
    await yaml.getByText("maxGradNorm: null").waitFor();
    expect(parse(await yaml.innerText())).toEqual({
      model: { lora: { targets: "all-linear" } },
      train: { maxGradNorm: null },
    });
    await page.getByRole("tab", { name: /^Generate/ }).click();
    const words = page.getByLabel("Bad words ids");
    await words.fill("[[1]]");
    await yaml.getByText("badWordsIds").waitFor();
    await words.fill("[[1]]x");
    await page.getByText("This is not JSON yet").waitFor();
    expect(await yaml.innerText()).not.toContain("badWordsIds");
    expect(await barriers(page)).toEqual([]);
    await page.getByRole("button", { name: "Empty the form" }).click();
    await page.getByText("Nothing is set yet").waitFor();
    await expect.poll(() => words.inputValue()).toBe("");
  });
});
