// Writes docs/errors.md from the table in src/errors/codes.ts; with --check it only says whether the page is up to date.
// @ts-check
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

/**
 * @typedef {{kind: string, message: string, hint: string}} ErrorRow
 * @typedef {{status: number, exit: number}} KindRow
 * @typedef {{codes: Record<string, ErrorRow>, kinds: Record<string, KindRow>}} ErrorTable
 */

const table = new URL("../src/errors/codes.ts", import.meta.url);
const page = new URL("../docs/errors.md", import.meta.url);

/** The page's text. @param {ErrorTable} table @returns {string} */
export function renderErrors({ codes, kinds }) {
  const lines = [
    "# Errors",
    "",
    "<!-- Written by `npm run docs:errors` from src/errors/codes.ts; edit that table, then run it again. -->",
    "",
    "Every error has a code, a message that says what happened, and a hint: the next thing to do. Its kind",
    "decides the HTTP status and the exit code of the command. In an HTTP answer the code stands in `code`, with",
    "`hint` and `requestId` beside it; with `--json` a command prints the same members.",
    "",
    "| kind | HTTP status | exit code |",
    "| --- | --- | --- |",
    ...Object.entries(kinds).map(([kind, row]) => `| ${kind} | ${row.status} | ${row.exit} |`),
    "",
    "Words in braces are filled in with the values at hand.",
  ];
  for (const [code, { kind, message, hint }] of Object.entries(codes)) {
    const { status, exit } = kinds[kind] ?? { status: 0, exit: 0 };
    lines.push("", `## ${code}`, "", `${kind} · HTTP ${status} · exit code ${exit}`, "");
    lines.push(`> ${inMarkdown(message)}`, "", inMarkdown(hint));
  }
  return `${lines.join("\n")}\n`;
}

/** Keeps `<name>` and the like readable as text, outside code. @param {string} text */
function inMarkdown(text) {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll(/[<>*_]/g, "\\$&")))
    .join("`");
}

/** The table itself, compiled on the spot so that no build is needed. @returns {Promise<ErrorTable>} */
export async function readTable() {
  const compiled = ts.transpileModule(readFileSync(table, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return await import(`data:text/javascript,${encodeURIComponent(compiled.outputText)}`);
}

/** Whether docs/errors.md says what the table says. @param {string} expected */
export function isUpToDate(expected) {
  try {
    return readFileSync(page, "utf8").replaceAll("\r\n", "\n") === expected;
  } catch {
    return false;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = renderErrors(await readTable());
  const name = fileURLToPath(page);
  if (isUpToDate(text)) console.log("docs/errors.md is up to date.");
  else if (process.argv.includes("--check")) {
    console.error(
      "docs/errors.md differs from src/errors/codes.ts; run `npm run docs:errors` and commit it.",
    );
    process.exitCode = 1;
  } else {
    writeFileSync(name, text);
    console.log("Wrote docs/errors.md.");
  }
}
