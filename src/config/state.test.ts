// Tests where a project's state is looked for: upward from the folder of a command, to where its Git repository ends.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { databaseFile, databaseUrl, findStateFolder, stateFolder, storeUrl } from "./state.js";

let folder: string;
const at = (...names: string[]) => path.join(folder, ...names);
const make = (...names: string[]) => mkdirSync(at(...names), { recursive: true });

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-state-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a project's state", () => {
  it("is found from every folder of the project, the nearest first", () => {
    make("project", ".bridle");
    make("project", "data", "raw");
    expect(stateFolder({}, at("project"))).toBe(at("project", ".bridle"));
    expect(stateFolder({}, at("project", "data", "raw"))).toBe(at("project", ".bridle"));
    make("project", "data", ".bridle");
    expect(stateFolder({}, at("project", "data", "raw"))).toBe(at("project", "data", ".bridle"));
  });

  it("ends where the Git repository ends, whether .git is a folder or a worktree's file", () => {
    make(".bridle");
    make("clone", ".git");
    make("clone", "data");
    make("worktree");
    writeFileSync(at("worktree", ".git"), "gitdir: elsewhere\n");
    expect(findStateFolder(at("clone", "data"))).toBeUndefined();
    expect(findStateFolder(at("worktree"))).toBeUndefined();
    expect(stateFolder({}, at("clone", "data"))).toBe(at("clone", "data", ".bridle"));
    make("clone", ".bridle");
    expect(findStateFolder(at("clone", "data"))).toBe(at("clone", ".bridle"));
  });

  it("is no file of that name, and BRIDLE_HOME, BRIDLE_DB and BRIDLE_STORE come before it", () => {
    make("project", ".bridle");
    make("project", "data");
    writeFileSync(at("project", "data", ".bridle"), "");
    expect(findStateFolder(at("project", "data"))).toBe(at("project", ".bridle"));
    expect(stateFolder({ BRIDLE_HOME: at("home") }, at("project"))).toBe(at("home"));
    const env = { BRIDLE_HOME: at("home") };
    expect(databaseUrl(undefined, env)).toBe(`sqlite:${at("home", "bridle.db")}`);
    expect(storeUrl(undefined, env)).toBe(at("home", "store"));
    expect(databaseUrl(undefined, { ...env, BRIDLE_DB: "postgres://h/d" })).toBe("postgres://h/d");
  });
});

it.each([
  ["sqlite:/a/b.db", "/a/b.db"],
  ["sqlite:///a/b.db", "/a/b.db"],
  ["/a/b.db", "/a/b.db"],
  ["b.db", path.resolve("b.db")],
  ["postgres://h/d", undefined],
  ["postgresql://h/d", undefined],
])("the file of the database %s is %s", (url, file) => {
  expect(databaseFile(url)).toBe(file);
});
