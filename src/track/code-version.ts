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
  /** False where files that git knows differ from the commit, or git did not say in time whether they do. */
  readonly isClean: boolean;
  /** Changes to files git knows, as `git diff HEAD` gives them; empty where there is none. */
  readonly diff: string;
  /** Whether it is the beginning alone, or all of it missing. */
  readonly isDiffCut: boolean;
  /** Files git does not know and is not told to ignore. */
  readonly untracked: readonly string[];
}

/** What git said, whole or as far as it came. */
interface Told {
  readonly text: string;
  readonly isWhole: boolean;
}

/** Reads the repository around a folder; asks git itself, whose index and attributes nobody else reads as well. */
export async function readCodeVersion(folder: string, timeoutMs = gitMs): Promise<CodeVersion> {
  const git = async (maxBuffer: number, ...args: string[]): Promise<Told> => {
    const options = { cwd: folder, timeout: timeoutMs, maxBuffer, windowsHide: true };
    try {
      const { stdout } = await run("git", ["--no-optional-locks", ...args], options);
      return { text: stdout, isWhole: true };
    } catch (thrown) {
      // What it said before it was stopped, for taking too long or saying too much.
      const { stdout } = thrown as { readonly stdout?: string };
      return { text: stdout ?? "", isWhole: false };
    }
  };
  const short = async (...args: string[]) => {
    const { text, isWhole } = await git(64 << 20, ...args);
    return isWhole ? text : "";
  };
  const commit = (await short("rev-parse", "HEAD")).trim();
  if (commit === "") {
    return { commit, branch: "", isClean: true, diff: "", isDiffCut: false, untracked: [] };
  }
  const [branch, { text: diff, isWhole }, others] = await Promise.all([
    short("rev-parse", "--abbrev-ref", "HEAD"),
    git(2 * mostDiffBytes, "diff", "HEAD", "--no-color", "--no-ext-diff"),
    short("ls-files", "--others", "--exclude-standard", "-z"),
  ]);
  const isDiffCut = !isWhole || Buffer.byteLength(diff) > mostDiffBytes;
  return {
    commit,
    branch: branch.trim(),
    isClean: isWhole && diff === "",
    diff: isDiffCut ? Buffer.from(diff).subarray(0, mostDiffBytes).toString("utf8") : diff,
    isDiffCut,
    untracked: others.split("\0").filter((name) => name !== ""),
  };
}
