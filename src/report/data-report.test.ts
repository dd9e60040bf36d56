// The page of data: whole HTML without anything from elsewhere, its figures those of the profile, no text of the data in it.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CheckLimits } from "../config/check-limits.js";
import { findFaults } from "../data/checks/findings.js";
import { type DataProfile, profileData } from "../data/checks/profile.js";
import { renderDataReport } from "./data-report.js";
import { escapeHtml } from "./page.js";

let folder: string;
let profile: DataProfile;
const name = '<b>train</b> & "so"';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-report-"));
  const file = path.join(folder, "rows.jsonl");
  const rows = Array.from({ length: 50 }, (_, i) => ({
    document: `Harbour ${i} silted up. ${"Ships unloaded elsewhere then. ".repeat(1 + (i % 9))} secret@example.org`,
    summary: `Harbour ${i} silted up.`,
  }));
  await writeFile(file, [...rows, rows[0]].map((row) => `${JSON.stringify(row)}\n`).join(""));
  profile = await profileData([{ name, files: [file] }]);
});
afterAll(() => rm(folder, { recursive: true }));

it("is one file that asks for nothing, with every figure of the profile and no text of the data", () => {
  const findings = findFaults(profile, CheckLimits.parse({ personalData: 0 }));
  const tests = {
    file: "data.tests.yaml",
    tests: 2,
    failures: [
      {
        test: "data.tests.yaml:3",
        rule: "words.<i>",
        file: "f",
        rows: 2,
        message: "a <script>",
        examples: ["one", "two"],
      },
    ],
  };
  const html = renderDataReport({ profile, findings, tests });
  const { document } = parseHTML(html);
  expect(
    document.querySelectorAll("script, link, img, iframe, [src], [href], b b, i"),
  ).toHaveLength(0);
  expect(html).not.toMatch(/url\(|@import|https?:|secret@|Harbour|undefined|NaN/);
  expect(html).toContain("prefers-color-scheme: dark");
  const text = (selector: string) =>
    [...document.querySelectorAll(selector)].map((each) => each.textContent);
  expect(text("head title")).toEqual([`Data: ${name}`]);
  const failed = findings.filter((each) => each.failed);
  expect(failed.map(({ check }) => check)).toContain("personalData");
  expect(text(".verdict")).toEqual([`${failed.length + 1} checks fail.`]);
  const bodies = text("tbody td");
  for (const { message, examples } of findings) {
    expect(bodies.some((cell) => cell?.startsWith(message))).toBe(true);
    for (const example of examples) expect(text("li")).toContain(example);
  }
  expect(bodies).toContain("words.<i>");
  expect(document.querySelectorAll("svg[role=img][aria-label]")).toHaveLength(5);
  // Every row stands in some bar, as each bar's title tells.
  const { counts, above } = profile.splits[0]!.documentWords!.histogram;
  const bars = [...document.querySelector("svg")!.querySelectorAll("rect title")];
  const drawn = bars.map((each) => Number(/: (\d+) rows$/.exec(each.textContent!)![1]));
  expect(drawn).toEqual(counts.filter((count) => count > 0));
  expect(drawn.reduce((sum, count) => sum + count, above)).toBe(51);
});

it("says so where nothing was found", () => {
  const html = renderDataReport({ profile, findings: [] });
  expect(html).toContain("Nothing was found.");
  expect(html).toContain("Every check holds.");
});

it("keeps names from becoming tags, and halves of characters out of the file", () => {
  expect(escapeHtml(`<a b='c' d="e">&\ud83d`)).toBe(
    "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;\ufffd",
  );
});
