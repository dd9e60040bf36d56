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

/**
 * A disk of 400 MB, taken only as it is written, whose files can share their blocks. Undefined where none can be had: only
 * root on Linux may mount an image, and XFS's or Btrfs's tools must be there.
 */
export function mountCloningDisk(): Pick<SmallDisk, "folder" | "unmount"> | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const scratch = fs.mkdtempSync(path.join(tmpdir(), "bridle-disk-"));
  const [image, folder] = [path.join(scratch, "image"), path.join(scratch, "disk")];
  fs.mkdirSync(folder);
  for (const format of [
    ["mkfs.xfs", "-q", "-m", "reflink=1"],
    ["mkfs.btrfs", "-q"],
  ]) {
    try {
      fs.writeFileSync(image, "");
      fs.truncateSync(image, 400 * 2 ** 20);
      execFileSync(format[0] as string, [...format.slice(1), image], { stdio: "ignore" });
      mount("-o", "loop", image, folder);
    } catch {
      continue;
    }
    return {
      folder,
      unmount() {
        execFileSync("umount", ["-l", folder]);
        fs.rmSync(scratch, { recursive: true });
      },
    };
  }
  fs.rmSync(scratch, { recursive: true });
  return undefined;
}

/** Whether small disks can be had here. Where BRIDLE_EXPECT_MOUNT is 1, as in .ci/run, they must. */
export const canMount = (() => {
  const disk = mountSmallDisk(1);
  disk?.unmount();
  return disk !== undefined || process.env.BRIDLE_EXPECT_MOUNT === "1";
})();
