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
    await page.getByLabel("Epochs").fill("2.5");
    await page.getByRole("group", { name: "Optimizer" }).getByLabel("Name").click();
    await page.getByRole("option", { name: "adafactor" }).click();
    await page.getByText("4 keys set, all of them valid.").waitFor();
    const yaml = page.getByRole("region", { name: "params.yaml" });
    const expected = {
      model: { name: "google/pegasus-xsum" },
      data: { train: ["pairs.jsonl"] },
      train: { epochs: 2.5, optimizer: { name: "adafactor" } },
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
});
