// The project's code as a run finds it: what is not known to be clean is not said to be.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mostDiffBytes, readCodeVersion } from "./code-version.js";

const hasGit = (() => {
  try {
    execFileSync("git", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasGit)("a folder under git", () => {
  let folder: string;
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@b", ...args], {
      ...{ cwd: folder, stdio: "ignore" },
    });
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "bridle-code-"));
    git("init", "-b", "main");
    writeFileSync(path.join(folder, "a.txt"), "one\n");
    git("add", ".");
    git("commit", "-m", "first");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is clean, or differs by what git says", async () => {
    expect(await readCodeVersion(folder)).toMatchObject({
      ...{ branch: "main", isClean: true, diff: "", isDiffCut: false, untracked: [] },
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    writeFileSync(path.join(folder, "a.txt"), "two\n");
    writeFileSync(path.join(folder, "b.txt"), "");
    expect(await readCodeVersion(folder)).toMatchObject({
      ...{ isClean: false, isDiffCut: false, untracked: ["b.txt"] },
      diff: expect.stringContaining("-one\n+two\n"),
    });
  });

  it.each([
    ["above what is kept", mostDiffBytes + 1000],
    ["above what git is listened to", 3 * mostDiffBytes],
  ])("is not clean where the difference is %s, of which the beginning is kept", async (_, size) => {
    writeFileSync(path.join(folder, "a.txt"), "x\n".repeat(size / 2));
    const { isClean, isDiffCut, diff } = await readCodeVersion(folder);
    expect([isClean, isDiffCut]).toEqual([false, true]);
    expect(Buffer.byteLength(diff)).toBe(mostDiffBytes);
    expect(diff).toMatch(/^diff --git a\/a\.txt/);
  });
});
