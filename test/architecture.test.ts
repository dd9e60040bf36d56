// Holds the source tree to the house's floors and rules, after showing on made-up trees that each rule can fail.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  beside,
  builtInErrorsAllowed,
  findViolations,
  floors,
  mayImport,
  type SourceTree,
} from "./architecture/rules.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const purpose = "// Says what this file is for.\n";

/** A tree that breaks no rule, with the given files put in; a file given as undefined is taken away. */
function madeUp(
  changes: Record<string, string | undefined> = {},
  { rooms = [], architecture }: { rooms?: string[]; architecture?: string } = {},
): SourceTree {
  const texts: Record<string, string | undefined> = {
    "src/errors/codes.ts": "export const kinds = {};\nexport const codes = {};",
    "src/errors/error.ts": 'import { codes } from "./codes.js";\nexport const made = codes;',
    "src/text/words.ts": 'import { made } from "../errors/error.js";\nexport const words = made;',
    "src/summarize/extractive.ts": 'export { words } from "../text/words.js";',
    "src/summarize/lead.ts": "export {};",
    "src/server/app.ts": 'import { kinds } from "../errors/codes.js";\nexport const app = kinds;',
    "src/cli/main.ts": 'import { app } from "../server/app.js";\nexport const main = app;',
    "dashboard/src/app.tsx": 'import "./page.js";\nexport const App = () => <p />;',
    "dashboard/src/page.tsx": "export {};",
    ...changes,
  };
  const files = new Map<string, string>();
  for (const [file, text] of Object.entries(texts)) {
    if (text !== undefined) files.set(file, text.startsWith("//") ? text : purpose + text);
  }
  const names = new Set([...files.keys()].filter((file) => file.startsWith("src/")).map(folderOf));
  const table = [...names].map((name) => `| \`${name}${name.endsWith(".ts") ? "" : "/"}\` | it |`);
  return {
    files,
    rooms,
    architecture:
      architecture ?? `# Map\n\n## Rooms\n\n| room | is |\n| --- | --- |\n${table.join("\n")}\n`,
  };
}

function folderOf(file: string): string {
  return file.split("/")[1]!.replace(".test.ts", ".ts");
}

describe("rules on made-up trees", () => {
  it("a tree that keeps the rules has no violation", () => {
    expect(findViolations(madeUp())).toEqual([]);
  });

  it.each<[string, Record<string, string | undefined>, string]>([
    [
      "an import upwards",
      { "src/text/words.ts": 'import { x } from "../summarize/lead.js";\nexport { x };' },
      "src/text/words.ts:2 imports src/summarize/lead.ts: text may not import summarize",
    ],
    [
      "a type import upwards",
      { "src/text/words.ts": 'import type { X } from "../summarize/lead.js";' },
      "text may not import summarize",
    ],
    [
      "an export from above",
      { "src/text/words.ts": 'export * from "../summarize/lead.js";' },
      "text may not import summarize",
    ],
    [
      "a dynamic import upwards",
      { "src/text/words.ts": 'export const x = () => import("../summarize/lead.js");' },
      "text may not import summarize",
    ],
    [
      "an import type upwards",
      { "src/text/words.ts": 'export type X = import("../summarize/lead.js").X;' },
      "text may not import summarize",
    ],
    [
      "an import = require upwards",
      { "src/text/words.ts": 'import x = require("../summarize/lead.js");\nexport { x };' },
      "text may not import summarize",
    ],
    [
      "a worker from above",
      {
        "src/text/words.ts":
          'export const w = () => new Worker(new URL("../summarize/long-worker.js", import.meta.url));',
        "src/summarize/long-worker.ts": "export {};",
      },
      "text may not import summarize",
    ],
    [
      "a worker's URL kept in a name, from above",
      {
        "src/text/words.ts":
          'export const url = new URL("../summarize/long-worker.js", import.meta.url);',
        "src/summarize/long-worker.ts": "export {};",
      },
      "text may not import summarize",
    ],
    [
      "a sideways import on a floor",
      { "src/data/rows.ts": 'export * from "../model/pegasus.js";', "src/model/pegasus.ts": "" },
      "data may not import model",
    ],
    [
      "model importing beside it",
      { "src/model/pegasus.ts": 'export * from "../data/rows.js";', "src/data/rows.ts": "" },
      "model may not import data",
    ],
    [
      "the wrong way between summarize and evaluate",
      {
        "src/summarize/extractive.ts": 'export * from "../evaluate/score.js";',
        "src/evaluate/score.ts": "",
      },
      "summarize may not import evaluate",
    ],
    [
      "one braced group importing the other",
      { "src/train/loop.ts": 'export * from "../track/runs.js";', "src/track/runs.ts": "" },
      "train may not import track",
    ],
    [
      "the other braced group importing the first",
      { "src/track/runs.ts": 'export * from "../train/loop.js";', "src/train/loop.ts": "" },
      "track may not import train",
    ],
    [
      "the server importing the cli",
      { "src/server/app.ts": 'export * from "../cli/rouge.js";', "src/cli/rouge.ts": "" },
      "server may not import cli",
    ],
    [
      "anything importing the library's index",
      { "src/server/app.ts": 'export * from "../index.js";', "src/index.ts": "" },
      "server may not import index.ts",
    ],
    [
      "onnxruntime outside runtime",
      { "src/model/pegasus.ts": 'import * as ort from "onnxruntime-node";\nexport { ort };' },
      "imports onnxruntime-node; only runtime/ may",
    ],
    [
      "an adapter picked outside compose",
      {
        "src/server/app.ts": 'export * from "../adapters/blob/file.js";',
        "src/adapters/blob/file.ts": "",
      },
      "server may not import adapters",
    ],
    [
      "an adapter importing more than ports and errors",
      { "src/adapters/blob/file.ts": 'export * from "../../text/words.js";' },
      "adapters may not import text",
    ],
    [
      "graph importing config",
      { "src/graph/value.ts": 'export * from "../config/load.js";', "src/config/load.ts": "" },
      "graph may not import config",
    ],
    [
      "graph importing a package",
      { "src/graph/value.ts": 'import { z } from "zod";\nexport { z };' },
      "graph/ loads with no node_modules",
    ],
    [
      "an engine seen by the server",
      { "src/server/app.ts": 'export * from "../model/pegasus.js";', "src/model/pegasus.ts": "" },
      "server/ sees only the Summarizer interface",
    ],
    [
      "kinds read elsewhere",
      { "src/text/words.ts": 'import { kinds } from "../errors/codes.js";\nexport { kinds };' },
      "reads the table `kinds`",
    ],
    [
      "kinds read by a command",
      { "src/cli/rouge.ts": 'import * as all from "../errors/codes.js";\nexport { all };' },
      "reads the table `kinds`",
    ],
    [
      "a runtime cycle in one room",
      {
        "src/text/words.ts": 'export * from "./stems.js";',
        "src/text/stems.ts": 'import { type W } from "./words.js";\nexport type S = W;',
      },
      "runtime cycle src/text/words.ts → src/text/stems.ts → src/text/words.ts",
    ],
    [
      "a runtime cycle through a worker",
      {
        "src/text/words.ts":
          'export const w = () => new Worker(new URL("./words-worker.js", import.meta.url));',
        "src/text/words-worker.ts": 'export * from "./words.js";',
      },
      "runtime cycle",
    ],
    [
      "the dashboard importing the product",
      { "dashboard/src/app.tsx": 'import "../../src/text/words.js";' },
      "imports src/text/words.js; the dashboard talks HTTP only",
    ],
    [
      "the dashboard importing the package",
      { "dashboard/src/app.tsx": 'import { rouge } from "bridle";\nexport { rouge };' },
      "imports bridle; the dashboard talks HTTP only",
    ],
    [
      "the product importing the dashboard",
      { "src/server/app.ts": 'export * from "../../dashboard/src/page.js";' },
      "imports dashboard/src/page.js, which is outside src/",
    ],
    [
      "an import that leads nowhere",
      { "src/text/words.ts": 'export * from "./gone.js";' },
      "imports ./gone.js, which is not there",
    ],
    [
      "a product file importing a test",
      { "src/text/words.ts": 'export * from "./a.test.js";', "src/text/a.test.ts": "" },
      "imports the test src/text/a.test.ts",
    ],
    [
      "a module loaded by a computed name",
      { "src/text/words.ts": "export const load = (name: string) => import(name);" },
      "src/text/words.ts:2 loads a module by a computed name",
    ],
    ["an unknown room", { "src/cellar/x.ts": "" }, "src/cellar: no such room in the house"],
    ["an unknown file at the top", { "src/start.ts": "" }, "src/start.ts: no such room"],
    ["a room of tests only", { "src/data/rows.test.ts": "" }, "src/data: an empty room"],
    [
      "no purpose",
      { "src/text/words.ts": "// Words.\nexport {};" },
      "src/text/words.ts: opens with no comment that says its purpose",
    ],
    [
      "a bare error",
      { "src/text/words.ts": 'export function f() {\n  throw new TypeError("no");\n}' },
      "src/text/words.ts:3 throws a built-in error",
    ],
    [
      "a bare rejection",
      { "src/text/words.ts": 'export const f = () => Promise.reject(new Error("no"));' },
      "src/text/words.ts:2 throws a built-in error",
    ],
    ["a name that is not kebab-case", { "src/text/someWords.ts": "" }, "not a kebab-case name"],
    ["a vague name", { "src/text/word-utils.ts": "" }, '"word-utils" names no idea of the field'],
    [
      "a file past 500 lines without a reason",
      { "src/text/words.ts": `${purpose}${"export {};\n".repeat(500)}` },
      "src/text/words.ts: 501 lines, and docs/architecture.md does not say why",
    ],
  ])("%s fails", (_, changes, expected) => {
    const violations = findViolations(madeUp(changes));
    expect(violations.filter((line) => line.includes(expected))).toHaveLength(1);
    expect(violations).toHaveLength(1);
  });

  it("an empty folder fails", () => {
    expect(findViolations(madeUp({}, { rooms: ["train"] }))).toContain("src/train: an empty room");
  });

  it("the map in docs/architecture.md must name every room and no other", () => {
    const rows = ["errors", "text", "summarize", "server", "data"].map(
      (room) => `| \`${room}/\` |`,
    );
    const architecture = `## Rooms\n\n${rows.join(" \\`src/no/such.ts\\` |\n").replaceAll("\\`", "`")} it |\n`;
    const violations = findViolations(madeUp({}, { architecture }));
    expect(violations).toContain("docs/architecture.md: the room data/ is not there");
    expect(violations).toContain(
      "docs/architecture.md: text/ names src/no/such.ts, which is not there",
    );
    expect(violations).toContain(
      'src/cli: missing from the table under "Rooms" in docs/architecture.md',
    );
  });

  it("a reason in docs/architecture.md lets a file grow, and goes when the file has shrunk", () => {
    const long = `${purpose}${"export {};\n".repeat(500)}`;
    const { architecture } = madeUp();
    const reasoned = `${architecture}\n## Files past 500 lines\n\n| file | why |\n| --- | --- |\n| \`src/text/words.ts\` | one table, read as a whole |\n`;
    const tree = { ...madeUp({ "src/text/words.ts": long }), architecture: reasoned };
    expect(findViolations(tree)).toEqual([]);
    expect(findViolations({ ...madeUp(), architecture: reasoned })).toEqual([
      "docs/architecture.md: src/text/words.ts is no longer past 500 lines",
    ]);
    expect(
      findViolations({
        ...madeUp({ "src/text/words.ts": undefined, "src/summarize/extractive.ts": "" }),
        architecture: reasoned,
      }),
    ).toContain("docs/architecture.md: src/text/words.ts is not there");
  });

  it("type-only imports make no cycle, and a listed file may throw a built-in error", () => {
    const changes = {
      "src/text/words.ts":
        'import type { S } from "./stems.js";\nexport type W = S;\nexport { x } from "./stems.js";',
      "src/text/stems.ts":
        'import type { W } from "./words.js";\nexport type S = W;\nexport const x = () => {\n  throw new Error("asked for");\n};',
    };
    expect(findViolations(madeUp(changes), { "src/text/stems.ts": "a reason" })).toEqual([]);
  });

  it("a test may take recorded outputs from test/, and must keep the floors all the same", () => {
    const kept = { "src/text/a.test.ts": 'import "../../test/golden/read.js";\nimport "vitest";' };
    expect(findViolations(madeUp(kept))).toEqual([]);
    const broken = { "src/text/a.test.ts": 'import "../server/app.js";' };
    expect(findViolations(madeUp(broken))).toEqual([
      "src/text/a.test.ts:2 imports src/server/app.ts: text may not import server",
    ]);
  });
});

describe("the floors", () => {
  it("let each room import what stands below it, and nothing above", () => {
    const order = floors.map((groups) => groups.flat());
    for (const [upper, rooms] of order.entries()) {
      for (const lowerRooms of order.slice(upper + 1)) {
        for (const room of rooms) {
          for (const lower of lowerRooms) {
            expect(mayImport(room, lower), `${room} → ${lower}`).toBe(
              room !== "graph" || lower === "errors",
            );
            expect(mayImport(lower, room), `${lower} → ${room}`).toBe(false);
          }
        }
      }
    }
  });

  it("go one way on a floor", () => {
    for (const [from, targets] of Object.entries(beside)) {
      for (const to of targets) expect(mayImport(to, from), `${to} → ${from}`).toBe(false);
    }
  });
});

describe("the source tree", () => {
  const tree = readTree();

  it("keeps every rule", () => {
    expect(tree.files.size).toBeGreaterThan(5);
    expect(findViolations(tree)).toEqual([]);
  });

  it("lists no file for built-in errors that throws none", () => {
    const strict = findViolations(tree, {}).map((line) => line.split(":")[0]);
    for (const [file, reason] of Object.entries(builtInErrorsAllowed)) {
      expect(strict, `${file} is listed with "${reason}"`).toContain(file);
      expect(reason.length).toBeGreaterThan(10);
    }
  });
});

function readTree(): SourceTree {
  const files = new Map<string, string>();
  for (const file of [...listFiles("src"), ...listFiles("dashboard")]) {
    if (/\.tsx?$/.test(file)) files.set(file, readFileSync(path.join(root, file), "utf8"));
  }
  const rooms = readdirSync(path.join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const architecture = readFileSync(path.join(root, "docs/architecture.md"), "utf8");
  return { files, rooms, architecture };
}

function listFiles(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name === "dist") return [];
    const file = `${folder}/${entry.name}`;
    return entry.isDirectory() ? listFiles(file) : [file];
  });
}
