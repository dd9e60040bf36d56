// The house's rules as data and one pure function over a tree of files: floors, rooms, cycles and how a file is written.
import { type Import, readSource, type SourceFacts } from "./imports.js";

export interface SourceTree {
  /** Text of every TypeScript file by its path from the repository's root, with forward slashes. */
  readonly files: ReadonlyMap<string, string>;
  /** Folders directly under src/, empty ones too. */
  readonly rooms: readonly string[];
  /** Text of docs/architecture.md. */
  readonly architecture: string;
}

/** From the top down; a room may import what stands on a lower floor. Rooms of one inner list are a group. */
export const floors: readonly (readonly (readonly string[])[])[] = [
  [["cli", "server", "report", "index.ts"]],
  [["compose.ts"]],
  [["loop"]],
  [
    ["track", "registry", "package"],
    ["train", "summarize", "evaluate", "monitor"],
  ],
  [["generate", "model", "data"]],
  [["runtime", "text", "ports"]],
  [["graph"]],
  [["config"]],
  [["errors"]],
];

/** What may be imported from beside, on the same floor. Commands start the server and render reports. */
export const beside: Readonly<Record<string, readonly string[]>> = {
  cli: ["server", "report"],
  train: ["evaluate", "summarize"],
  evaluate: ["summarize"],
  monitor: ["evaluate", "summarize"],
  registry: ["package"],
  generate: ["model"],
};

/** Rooms whose imports are narrower than their floor. */
const only: Readonly<Record<string, readonly string[]>> = {
  adapters: ["ports", "errors"],
  graph: ["errors"],
};

/** Rooms that hold engines; they run in workers, out of sight of who answers people. */
const engineRooms = new Set(["generate", "model", "runtime", "graph"]);

/**
 * Files that may throw a built-in error, each with its reason: what no caller can cause, or what another
 * library's contract asks for.
 */
export const builtInErrorsAllowed: Readonly<Record<string, string>> = {
  "src/text/files/pdf-cmaps.ts": "pdf.js asks its data factory to throw, catches it and goes on",
};

const longestFile = 500;
const knownRooms = new Set([...floors.flat(2), "adapters"]);
const vagueNames = /^(utils?|helpers?|managers?|misc|common)$|-(utils?|helpers?|manager)$/;

/**
 * Checks a whole tree.
 * @returns one line for each violation, `path: what is wrong`; none where the house stands.
 */
export function findViolations(
  tree: SourceTree,
  allowed: Readonly<Record<string, string>> = builtInErrorsAllowed,
): string[] {
  const facts = new Map<string, SourceFacts>();
  for (const [path, text] of tree.files) facts.set(path, readSource(path, text));
  return [
    ...roomViolations(tree),
    ...[...facts].flatMap(([path, file]) => [
      ...importViolations(path, file, facts),
      ...writingViolations(path, file, allowed),
    ]),
    ...sizeViolations(tree, facts),
    ...findCycles(facts).map((cycle) => `${cycle[0]}: runtime cycle ${cycle.join(" → ")}`),
  ].sort();
}

/** The room of a path under src: its folder, or the file's own name at the top (`x.test.ts` counts as `x.ts`). */
export function roomOf(path: string): string {
  const [, first = ""] = path.split("/");
  return first.replace(/\.test\.ts$/, ".ts");
}

function roomViolations({ files, rooms, architecture }: SourceTree): string[] {
  const violations: string[] = [];
  const documented = new Map(tableRows(architecture, "Rooms"));
  const names = new Set(rooms);
  for (const path of files.keys()) if (path.startsWith("src/")) names.add(roomOf(path));
  for (const room of names) {
    const isFile = room.endsWith(".ts");
    if (!knownRooms.has(room)) {
      violations.push(`src/${room}: no such room in the house; floors name the ones there are`);
      continue;
    }
    const inside = [...files.keys()].filter((path) => roomOf(path) === room && isProduct(path));
    if (inside.length === 0) violations.push(`src/${room}: an empty room`);
    const name = isFile ? room : `${room}/`;
    const entry = documented.get(name);
    if (entry === undefined) {
      violations.push(`src/${room}: missing from the table under "Rooms" in docs/architecture.md`);
    }
  }
  for (const [name, rest] of documented) {
    const room = name.replace(/\/$/, "");
    if (!names.has(room)) violations.push(`docs/architecture.md: the room ${name} is not there`);
    for (const entry of rest.matchAll(/`(src\/[^`]+)`/g)) {
      if (!files.has(entry[1]!))
        violations.push(`docs/architecture.md: ${name} names ${entry[1]}, which is not there`);
    }
  }
  return violations;
}

function importViolations(
  path: string,
  file: SourceFacts,
  all: ReadonlyMap<string, SourceFacts>,
): string[] {
  const violations = file.unfollowable.map(
    (line) => `${path}:${line} loads a module by a computed name, which nobody can follow`,
  );
  for (const each of file.imports) {
    const wrong = each.specifier.startsWith(".")
      ? relativeFault(path, each, all)
      : packageFault(path, each.specifier);
    if (wrong !== undefined) violations.push(`${path}:${each.line} ${wrong}`);
  }
  return violations;
}

function packageFault(path: string, specifier: string): string | undefined {
  if (path.startsWith("dashboard/")) {
    return /^bridle(\/|$)/.test(specifier)
      ? `imports ${specifier}; the dashboard talks HTTP only`
      : undefined;
  }
  const room = roomOf(path);
  if (/^onnxruntime(-|$)/.test(specifier) && room !== "runtime") {
    return `imports ${specifier}; only runtime/ may`;
  }
  if (/^bridle(\/|$)/.test(specifier)) return `imports ${specifier}, which is itself`;
  if (room === "graph" && !specifier.startsWith("node:") && isProduct(path)) {
    return `imports ${specifier}; graph/ loads with no node_modules`;
  }
  return undefined;
}

function relativeFault(
  path: string,
  each: Import,
  all: ReadonlyMap<string, SourceFacts>,
): string | undefined {
  const target = resolveImport(path, each.specifier, all);
  const written = joinPath(path, each.specifier);
  if (path.startsWith("dashboard/")) {
    return written.startsWith("dashboard/")
      ? undefined
      : `imports ${written}; the dashboard talks HTTP only`;
  }
  // What a test takes from test/ (recorded outputs, doubles) is no part of the house.
  if (!isProduct(path) && written.startsWith("test/")) return undefined;
  if (!written.startsWith("src/")) return `imports ${written}, which is outside src/`;
  if (target === undefined) return `imports ${each.specifier}, which is not there`;
  const from = roomOf(path);
  const to = roomOf(target);
  if (/\.test\.ts$/.test(target)) return `imports the test ${target}`;
  if (readsKinds(path, target, each) && from !== "server" && path !== "src/cli/command.ts") {
    return "reads the table `kinds`; only server/ and cli/command.ts may";
  }
  if (from === to || mayImport(from, to)) {
    if (isProduct(path) && (from === "server" || from === "cli") && engineRooms.has(to)) {
      return `imports ${to}/, an engine; ${from}/ sees only the Summarizer interface`;
    }
    return undefined;
  }
  return `imports ${target}: ${from} may not import ${to}`;
}

/** Whether the floors let one room import another; both must be rooms of the house. */
export function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (only[from] !== undefined) return only[from].includes(to);
  if (to === "adapters") return from === "compose.ts";
  const fromFloor = floorOf(from);
  const toFloor = floorOf(to);
  if (fromFloor === -1 || toFloor === -1) return false;
  if (fromFloor === toFloor) return beside[from]?.includes(to) ?? false;
  return fromFloor < toFloor;
}

function floorOf(room: string): number {
  return floors.findIndex((groups) => groups.some((group) => group.includes(room)));
}

function readsKinds(path: string, target: string, each: Import): boolean {
  if (target !== "src/errors/codes.ts" || path.startsWith("src/errors/")) return false;
  return each.names.includes("kinds") || each.names.includes("*");
}

function writingViolations(
  path: string,
  file: SourceFacts,
  allowed: Readonly<Record<string, string>>,
): string[] {
  if (!path.startsWith("src/")) return [];
  const violations: string[] = [];
  if (file.purpose.split(/\s+/).length < 4) {
    violations.push(`${path}: opens with no comment that says its purpose`);
  }
  const stem = path
    .split("/")
    .at(-1)!
    .replace(/(\.test)?\.ts$/, "");
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem)) violations.push(`${path}: not a kebab-case name`);
  for (const part of [...path.split("/").slice(1, -1), stem]) {
    if (vagueNames.test(part)) violations.push(`${path}: "${part}" names no idea of the field`);
  }
  if (isProduct(path) && allowed[path] === undefined) {
    for (const line of file.bareErrors) {
      violations.push(`${path}:${line} throws a built-in error; use a BridleError with a code`);
    }
  }
  return violations;
}

function sizeViolations(tree: SourceTree, facts: ReadonlyMap<string, SourceFacts>): string[] {
  const justified = new Map(tableRows(tree.architecture, `Files past ${longestFile} lines`));
  const violations: string[] = [];
  for (const [path, { lineCount }] of facts) {
    if (!path.startsWith("src/") || !isProduct(path)) continue;
    if (lineCount > longestFile && (justified.get(path) ?? "").length < 10) {
      violations.push(`${path}: ${lineCount} lines, and docs/architecture.md does not say why`);
    }
    if (lineCount <= longestFile && justified.has(path)) {
      violations.push(`docs/architecture.md: ${path} is no longer past ${longestFile} lines`);
    }
  }
  for (const path of justified.keys()) {
    if (!facts.has(path)) violations.push(`docs/architecture.md: ${path} is not there`);
  }
  return violations;
}

/** Rows of the first table under a heading: the first cell without its back-ticks, and the rest. */
export function tableRows(markdown: string, heading: string): [string, string][] {
  const lines = markdown.split(/\r?\n/);
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.endsWith(` ${heading}`));
  if (start === -1) return [];
  const end = lines.findIndex((line, index) => index > start && /^#+ /.test(line));
  return lines
    .slice(start, end === -1 ? undefined : end)
    .map((line) => /^\|\s*`([^`]+)`\s*\|\s*(.*?)\s*\|\s*$/.exec(line))
    .flatMap((match) =>
      match === null ? [] : [[match[1]!, match[2]!] satisfies [string, string]],
    );
}

/**
 * Every group of files that need each other at run time, as one closed path through it.
 * Type-only imports are left out: they leave no trace in the compiled files.
 */
export function findCycles(facts: ReadonlyMap<string, SourceFacts>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): void => {
    const seen = trail.indexOf(path);
    if (seen !== -1) {
      cycles.push([...trail.slice(seen), path]);
      return;
    }
    if (done.has(path)) return;
    for (const each of facts.get(path)?.imports ?? []) {
      if (each.kind === "type") continue;
      const target = resolveImport(path, each.specifier, facts);
      if (target !== undefined) walk(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of facts.keys()) walk(path, []);
  return cycles;
}

/** The file of the tree that a relative specifier means; `.js` endings name their `.ts` source. */
function resolveImport(
  path: string,
  specifier: string,
  files: { has(path: string): boolean },
): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const written = joinPath(path, specifier);
  const stem = written.replace(/\.jsx?$/, "");
  return [`${stem}.ts`, `${stem}.tsx`, written, `${stem}/index.ts`, `${stem}/index.tsx`].find(
    (candidate) => files.has(candidate),
  );
}

function joinPath(path: string, specifier: string): string {
  const parts = path.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function isProduct(path: string): boolean {
  return !/\.test\.tsx?$/.test(path);
}
