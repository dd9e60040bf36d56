// Walks every page in light and dark, at desktop and phone width: nothing is wider than the screen, nothing bars anybody.
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { toyRunId } from "../../scripts/toy-runs.mjs";
import { recordToyRuns, registerToyModels } from "../support/toy-home.js";
import { barriers, describePage, startPages } from "./page-driver.js";

const sizes = {
  desktop: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
} as const;

const [one, other] = [toyRunId(0), toyRunId(1)];
/** Each page with a heading that is there once the page is. */
const pages = [
  ["/", "Document"],
  ["/configure", "params.yaml"],
  ["/runs", "Runs"],
  [`/runs/${one}`, "train/loss"],
  [`/runs/${other}?tab=code`, "Environment"],
  [`/runs/compare?run=${one}&run=${other}`, "train/loss"],
  ["/registry", "Models"],
  ["/registry/news", "Versions"],
  ["/registry/news/3", "How good it is"],
  ["/system", "Answers by route"],
] as const;

const cases = pages.flatMap(([address, sight]) =>
  (["light", "dark"] as const).flatMap((scheme) =>
    (["desktop", "phone"] as const).map((size) => [address, scheme, size, sight] as const),
  ),
);

const root = mkdtempSync(path.join(tmpdir(), "bridle-page-walk-"));
afterAll(() => rm(root, { recursive: true, force: true }));

describePage("a walk through the pages", () => {
  const home = path.join(root, "home");
  const open = startPages({
    env: { BRIDLE_HOME: home },
    models: async () => {
      const runIds = await recordToyRuns(home);
      await registerToyModels(home, path.join(root, "models"), runIds);
      return [];
    },
  });

  it.each(cases)("%s, %s, %s", async (address, colorScheme, size, sight) => {
    const page = await open({ colorScheme, ...sizes[size] }, address);
    await page.getByRole("heading", { name: sight, exact: true }).waitFor();
    expect(await barriers(page)).toEqual([]);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
