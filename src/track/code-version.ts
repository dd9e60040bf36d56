// The project's code as a run finds it: git's commit, and what differs from it.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const gitMs = 10_000;
/** A larger diff is data that somebody put under git; its beginning is kept. */
export const mostDiffBytes = 2 << 20;

export interface CodeVersion {
  /** Empty outside git, or where git is not installed. */
  readonly commit: string;
  readonly branch: string;
  /** Changes to files git knows, as `git diff HEAD` gives them; empty where there is none. */
  readonly diff: string;
  readonly isDiffCut: boolean;
  /** Files git does not know and is not told to ignore. */
  readonly untracked: readonly string[];
}

/** Reads the repository around a folder; asks git itself, whose index and attributes nobody else reads as well. */
export async function readCodeVersion(folder: string): Promise<CodeVersion> {
  const git = async (...args: string[]): Promise<string> => {
    const options = { cwd: folder, timeout: gitMs, maxBuffer: 64 << 20, windowsHide: true };
    const told = await run("git", ["--no-optional-locks", ...args], options);
    return told.stdout;
  };
  const quiet = (...args: string[]) => git(...args).catch(() => "");
  const commit = (await quiet("rev-parse", "HEAD")).trim();
  if (commit === "") return { commit, branch: "", diff: "", isDiffCut: false, untracked: [] };
  const [branch, diff, others] = await Promise.all([
    quiet("rev-parse", "--abbrev-ref", "HEAD"),
    quiet("diff", "HEAD", "--no-color", "--no-ext-diff"),
    quiet("ls-files", "--others", "--exclude-standard", "-z"),
  ]);
  const isDiffCut = Buffer.byteLength(diff) > mostDiffBytes;
  return {
    commit,
    branch: branch.trim(),
    diff: isDiffCut ? Buffer.from(diff).subarray(0, mostDiffBytes).toString("utf8") : diff,
    isDiffCut,
    untracked: others.split("\0").filter((name) => name !== ""),
  };
}
