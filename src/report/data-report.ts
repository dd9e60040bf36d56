// The page that tells of data: what splits hold, what is wrong with them and where; one file that opens anywhere.
import { scaleLinear } from "d3-scale";
import { bridleVersion } from "../config/version.js";
import type { TestsResult } from "../data/checks/data-tests.js";
import type { Distribution } from "../data/checks/distribution.js";
import type { Finding } from "../data/checks/findings.js";
import type { DataProfile, SplitProfile } from "../data/checks/profile.js";
import { escapeHtml, pageOf } from "./page.js";

export interface DataReport {
  readonly profile: DataProfile;
  readonly findings: readonly Finding[];
  readonly tests?: TestsResult;
}

type Measure = keyof Pick<
  SplitProfile,
  | "documentWords"
  | "summaryWords"
  | "documentCharacters"
  | "summaryCharacters"
  | "ratio"
  | "novelWords"
  | "novelPairs"
>;

const measures: readonly {
  readonly of: Measure;
  readonly title: string;
  readonly unit: string;
  readonly isShare: boolean;
}[] = [
  { of: "documentWords", title: "Documents", unit: "words", isShare: false },
  { of: "summaryWords", title: "Summaries", unit: "words", isShare: false },
  {
    of: "ratio",
    title: "Summary to document",
    unit: "words of the summary over words of the document",
    isShare: true,
  },
  {
    of: "novelWords",
    title: "Novel words",
    unit: "share of the summary's words that its document lacks",
    isShare: true,
  },
  {
    of: "novelPairs",
    title: "Novel pairs of words",
    unit: "share of the summary's pairs of words that its document lacks",
    isShare: true,
  },
];

const percent = (share: number) => {
  const value = 100 * share;
  return `${value > 0 && value < 0.1 ? "< 0.1" : value.toFixed(value < 10 ? 1 : 0)} %`;
};
const figure = (value: number, isShare: boolean) =>
  isShare ? value.toFixed(2) : Math.round(value).toLocaleString("en");

const [width, height] = [340, 150];
const margin = { top: 14, right: 12, bottom: 34, left: 12 };

/** Bars of a distribution over a range that all splits share, with its median and the middle nine tenths marked. */
function drawHistogram(found: Distribution, most: number, isShare: boolean, label: string): string {
  const { from, width: step, counts, above } = found.histogram;
  const x = scaleLinear([Math.min(0, from), most], [margin.left, width - margin.right]);
  const bottom = height - margin.bottom;
  const y = scaleLinear([0, Math.max(1, ...counts)], [bottom, margin.top]);
  const bars = counts.map((count, at) => {
    if (count === 0) return "";
    const left = x(from + at * step);
    const wide = Math.max(1, x(from + (at + 1) * step) - left - 1);
    const top = Math.min(y(count), bottom - 1);
    const range = `${figure(from + at * step, isShare)}–${figure(from + (at + 1) * step, isShare)}`;
    return (
      `<rect class="bar" x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${wide.toFixed(1)}" ` +
      `height="${(bottom - top).toFixed(1)}"><title>${range}: ${count} rows</title></rect>`
    );
  });
  const ticks = x
    .ticks(5)
    .map(
      (tick) =>
        `<line class="axis" x1="${x(tick).toFixed(1)}" x2="${x(tick).toFixed(1)}" y1="${bottom}" y2="${bottom + 4}"/>` +
        `<text x="${x(tick).toFixed(1)}" y="${bottom + 17}" text-anchor="middle">${x.tickFormat(5)(tick)}</text>`,
    );
  const within = (value: number) => x(Math.min(value, most)).toFixed(1);
  const middle =
    `<line class="range" x1="${within(found.p5)}" x2="${within(found.p95)}" y1="${margin.top - 6}" y2="${margin.top - 6}"/>` +
    `<line class="median" x1="${within(found.median)}" x2="${within(found.median)}" y1="${margin.top - 10}" y2="${bottom}"/>`;
  const beyond =
    above === 0
      ? ""
      : `<text class="quiet" x="${width - margin.right}" y="${height - 1}" text-anchor="end">${above} beyond →</text>`;
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}">` +
    `<line class="axis" x1="${margin.left}" x2="${width - margin.right}" y1="${bottom}" y2="${bottom}"/>` +
    `${bars.join("")}${ticks.join("")}${middle}${beyond}</svg>`
  );
}

function drawMeasure(
  splits: readonly SplitProfile[],
  { of, title, unit, isShare }: (typeof measures)[number],
): string {
  const drawn = splits.filter((split) => split[of] !== undefined);
  if (drawn.length === 0) return "";
  const ends = drawn.map((split) => {
    const { from, width: step, counts } = split[of]!.histogram;
    return from + step * counts.length;
  });
  const most = Math.max(...ends);
  const panels = drawn.map((split) => {
    const found = split[of]!;
    const figures =
      `median ${figure(found.median, isShare)}, nine in ten ` +
      `${figure(found.p5, isShare)}–${figure(found.p95, isShare)}, ` +
      `least ${figure(found.least, isShare)}, most ${figure(found.most, isShare)}`;
    const label = `${title} of ${split.name}: ${figures}`;
    return (
      `<figure><figcaption><b>${escapeHtml(split.name)}</b> ${figures}</figcaption>` +
      `${drawHistogram(found, most, isShare, label)}</figure>`
    );
  });
  return `<section><h2>${title} <small>${unit}</small></h2><div class="panels">${panels.join("")}</div></section>`;
}

/** Languages that are drawn; rarer ones are put together. */
const mostLanguages = 8;

function drawLanguages(splits: readonly SplitProfile[]): string {
  const drawn = splits.filter(({ languages }) => languages.length > 0);
  if (drawn.length === 0) return "";
  const panels = drawn.map(({ name, languages }) => {
    const all = languages.reduce((sum, { rows }) => sum + rows, 0);
    const rest = languages.slice(mostLanguages).reduce((sum, { rows }) => sum + rows, 0);
    const shown = [
      ...languages.slice(0, mostLanguages),
      ...(rest > 0 ? [{ language: "others", rows: rest }] : []),
    ];
    const bars = shown.map(({ language, rows }) => {
      const share = rows / all;
      return (
        `<div class="language"><span>${escapeHtml(language)}</span>` +
        `<span class="track"><span style="width:${(100 * share).toFixed(2)}%"></span></span>` +
        `<span class="number">${rows.toLocaleString("en")} (${percent(share)})</span></div>`
      );
    });
    return `<figure><figcaption><b>${escapeHtml(name)}</b></figcaption>${bars.join("")}</figure>`;
  });
  return `<section><h2>Languages <small>of the documents</small></h2><div class="panels">${panels.join("")}</div></section>`;
}

function findingRow({ check, split, failed, message, share, limit, examples }: Finding): string {
  const verdict = failed ? '<span class="bad">fails</span>' : '<span class="note">told</span>';
  const bound = limit === null ? "no limit" : `at most ${percent(limit)}`;
  const places =
    examples.length === 0
      ? ""
      : `<details><summary>where</summary><ul>${examples.map((each) => `<li>${escapeHtml(each)}</li>`).join("")}</ul></details>`;
  return (
    `<tr><td>${verdict}</td><td>${escapeHtml(split)}</td><td>${check}</td>` +
    `<td>${escapeHtml(message)}${places}</td><td class="number">${percent(share)}<br><small>${bound}</small></td></tr>`
  );
}

function findingsTable(findings: readonly Finding[]): string {
  if (findings.length === 0) return "<section><h2>Checks</h2><p>Nothing was found.</p></section>";
  const sorted = findings.toSorted((a, b) => Number(b.failed) - Number(a.failed));
  return (
    `<section><h2>Checks</h2><div class="scroll"><table><thead><tr><th></th><th>split</th><th>check</th><th>found</th>` +
    `<th class="number">rows</th></tr></thead><tbody>${sorted.map(findingRow).join("")}</tbody></table></div></section>`
  );
}

function testsTable({ file, tests, failures }: TestsResult): string {
  const rows = failures.map(({ test, rule, message, examples }) => {
    const places =
      examples.length < 2
        ? ""
        : `<details><summary>where</summary><ul>${examples.map((each) => `<li>${escapeHtml(each)}</li>`).join("")}</ul></details>`;
    return `<tr><td><span class="bad">fails</span></td><td>${escapeHtml(test)}</td><td>${escapeHtml(rule)}</td><td>${escapeHtml(message)}${places}</td></tr>`;
  });
  const body =
    rows.length === 0
      ? `<p>All ${tests} hold.</p>`
      : `<div class="scroll"><table><thead><tr><th></th><th>test</th><th>rule</th><th>found</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
  return `<section><h2>Tests <small>of ${escapeHtml(file)}</small></h2>${body}</section>`;
}

function splitsTable(splits: readonly SplitProfile[]): string {
  const rows = splits.map((split) => {
    const columns = split.columns.map(({ name, kinds, rows: present }) => {
      const missing = split.rows - present;
      const of = Object.keys(kinds).join(" or ");
      return `${escapeHtml(name)} <small>${of}${missing > 0 ? `, not in ${missing} rows` : ""}</small>`;
    });
    return (
      `<tr><td><b>${escapeHtml(split.name)}</b><br><small>${split.files.map(escapeHtml).join("<br>")}</small></td>` +
      `<td class="number">${split.rows.toLocaleString("en")}</td>` +
      `<td class="number">${(split.sizeBytes / 1e6).toFixed(1)} MB</td><td>${columns.join(", ")}</td></tr>`
    );
  });
  return (
    `<section><h2>Splits</h2><div class="scroll"><table><thead><tr><th>split</th><th class="number">rows</th>` +
    `<th class="number">size</th><th>columns</th></tr></thead><tbody>${rows.join("")}</tbody></table></div></section>`
  );
}

function verdictOf({ findings, tests }: DataReport): string {
  const failed = findings.filter((each) => each.failed).length + (tests?.failures.length ?? 0);
  return failed === 0
    ? '<p class="verdict good">Every check holds.</p>'
    : `<p class="verdict bad">${failed} ${failed === 1 ? "check fails" : "checks fail"}.</p>`;
}

/** One HTML file without scripts or anything from elsewhere. It tells where something stands and never what a text says. */
export function renderDataReport(report: DataReport): string {
  const { profile, findings, tests } = report;
  const { splits, similarity } = profile;
  const names = splits.map(({ name }) => name).join(", ");
  return pageOf({
    title: `Data: ${names}`,
    body: [
      `<header><h1>Data <small>${escapeHtml(names)}</small></h1>${verdictOf(report)}</header>`,
      findingsTable(findings),
      tests === undefined ? "" : testsTable(tests),
      splitsTable(splits),
      ...measures.map((measure) => drawMeasure(splits, measure)),
      drawLanguages(splits),
      `<footer>Bars reach up to the 99th percentile; the line is the median, the stroke above it holds nine rows in ten. ` +
        `Near duplicates share ${percent(similarity)} of their word triples or more, estimated. Made by Bridle ${bridleVersion}.</footer>`,
    ].join("\n"),
  });
}
