// Holds package.json and its lockfile to what an install from a fresh clone relies on.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);
const readJson = (name: string) => JSON.parse(readFileSync(new URL(name, root), "utf8"));
const manifest = readJson("package.json");
const locked: Record<string, Record<string, unknown>> = readJson("package-lock.json").packages;
const external = Object.entries(locked).filter(
  ([folder, row]) => folder.includes("node_modules/") && row.link !== true,
);

describe("package-lock.json", () => {
  it("names what package.json and the dashboard ask for", () => {
    for (const [folder, file] of [
      ["", "package.json"],
      ["dashboard", "dashboard/package.json"],
    ] as const) {
      const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = readJson(file);
      expect(locked[folder]?.dependencies ?? {}).toEqual(dependencies);
      expect(locked[folder]?.devDependencies ?? {}).toEqual(devDependencies);
      expect(locked[folder]?.optionalDependencies ?? {}).toEqual(optionalDependencies);
    }
  });

  it("holds every package by its content, wherever it is fetched from", () => {
    expect(external.length).toBeGreaterThan(100);
    expect(external.filter(([, row]) => row.integrity === undefined)).toEqual([]);
    expect(external.filter(([, row]) => row.resolved !== undefined)).toEqual([]);
  });

  it("has what each package needs", () => {
    const missing = external.flatMap(([folder, row]) =>
      Object.keys((row.dependencies as Record<string, string> | undefined) ?? {})
        .filter((name) => !isInstalledFrom(folder, name))
        .map((name) => `${folder} needs ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it("needs no newer Node than package.json asks for", () => {
    expect(manifest.engines.node).toBe(">=20.19");
    const newer = external
      .filter(([folder]) => !/^dashboard/.test(folder))
      .map(([folder, row]) => [folder, (row.engines as { node?: string } | undefined)?.node ?? "*"])
      .filter(([, range]) => !accepts(String(range), [20, 19, 0]));
    expect(newer).toEqual([]);
  });

  it("no package asks for an install script that `--ignore-scripts` would leave out", () => {
    const scripted = external.filter(([, row]) => row.hasInstallScript === true && !row.optional);
    expect(scripted.filter(([, row]) => row.dev !== true)).toEqual([]);
  });
});

describe("package.json", () => {
  it("says what it is, under which licence, and how it is entered", () => {
    expect(manifest).toMatchObject({
      name: "bridle",
      license: "Apache-2.0",
      type: "module",
      bin: { bridle: "dist/cli/main.js" },
    });
    expect(readFileSync(new URL("LICENSE", root), "utf8")).toContain("Apache License");
    expect(existsSync(new URL("src/cli/main.ts", root))).toBe(true);
    expect(existsSync(new URL("src/index.ts", root))).toBe(true);
  });

  it("runs nothing when it is installed as a dependency", () => {
    const names = Object.keys(manifest.scripts);
    expect(names.filter((name) => /^(pre|post)?(install|prepare|prepublish)$/.test(name))).toEqual(
      [],
    );
  });

  it("names only scripts that are there", () => {
    for (const command of Object.values<string>(manifest.scripts)) {
      const script = /^node (\S+)/.exec(command)?.[1];
      if (script !== undefined) expect(existsSync(new URL(script, root)), script).toBe(true);
    }
  });
});

function isInstalledFrom(folder: string, name: string): boolean {
  for (let at = folder; ; at = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : "") {
    if (locked[at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`]) return true;
    if (at === "") return false;
  }
}

/** Whether a range as `engines` has it (`>=18 <21 || ^20.19.0`) takes a version. */
function accepts(range: string, version: readonly [number, number, number]): boolean {
  return range.split("||").some((part) => {
    const terms = part
      .trim()
      .replaceAll(/(>=|<=|>|<|\^|~|=)\s+/g, "$1")
      .split(/\s+/);
    return terms.every((term) => satisfies(term, version));
  });
}

function satisfies(term: string, version: readonly [number, number, number]): boolean {
  const match = /^(>=|<=|>|<|\^|~|=)?v?(\d+)?(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?/.exec(term);
  if (match === null || match[2] === undefined) return true;
  const [, operator = "", ...parts] = match;
  const wanted = parts.map((part) => (part === undefined || !/^\d/.test(part) ? 0 : Number(part)));
  const order = version.map((value, index) => value - wanted[index]!).find((gap) => gap !== 0) ?? 0;
  switch (operator) {
    case ">=":
      return order >= 0;
    case ">":
      return order > 0;
    case "<=":
      return order <= 0;
    case "<":
      return order < 0;
    default:
      return version[0] === wanted[0] && order >= 0;
  }
}
