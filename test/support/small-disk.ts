// A disk of a few megabytes that can be filled up and made read-only, for tests that may mount one.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface SmallDisk {
  readonly folder: string;
  /** Takes all room that is left. */
  fill(): void;
  /** Gives that room back. */
  drain(): void;
  setReadOnly(isReadOnly: boolean): void;
  unmount(): void;
}

function mount(...args: string[]): void {
  execFileSync("mount", args, { stdio: "ignore" });
}

/** Undefined where this process may not mount: only root on Linux may, and not in every container. */
export function mountSmallDisk(megabytes: number): SmallDisk | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const folder = fs.mkdtempSync(path.join(tmpdir(), "bridle-disk-"));
  try {
    mount("-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder);
  } catch {
    fs.rmdirSync(folder);
    return undefined;
  }
  const filler = path.join(folder, "filler");
  return {
    folder,
    fill() {
      const fd = fs.openSync(filler, "a");
      try {
        for (let piece = 1 << 16; piece >= 1; piece = piece >> 1) {
          try {
            while (fs.writeSync(fd, Buffer.alloc(piece)) > 0);
          } catch (thrown) {
            if ((thrown as NodeJS.ErrnoException).code !== "ENOSPC") throw thrown;
          }
        }
      } finally {
        fs.closeSync(fd);
      }
    },
    drain: () => fs.rmSync(filler, { force: true }),
    setReadOnly: (isReadOnly) => mount("-o", `remount,${isReadOnly ? "ro" : "rw"}`, folder),
    unmount() {
      // Lazily, as files that were read may be closed a moment later.
      execFileSync("umount", ["-l", folder]);
      fs.rmdirSync(folder);
    },
  };
}

/** Whether small disks can be had here. Where BRIDLE_EXPECT_MOUNT is 1, as in .ci/run, they must. */
export const canMount = (() => {
  const disk = mountSmallDisk(1);
  disk?.unmount();
  return disk !== undefined || process.env.BRIDLE_EXPECT_MOUNT === "1";
})();
