// On a disk whose files can share their blocks: what add and checkout take of it, and that a clone is a file of its own.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { rm } from "node:fs/promises";
import { afterEach, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { mountCloningDisk } from "../../../test/support/small-disk.js";
import { addPaths } from "./add.js";
import { checkout } from "./checkout.js";

const disk = mountCloningDisk();
const skipped = disk ? "" : " (skipped: root on Linux, and mkfs.xfs or mkfs.btrfs, are needed)";
afterEach(() => disk?.unmount());

it.skipIf(disk === undefined)(
  `a file and its object in the cache take their room once${skipped}`,
  async () => {
    const { folder } = disk as NonNullable<typeof disk>;
    const project = await DvcProject.create({ withGit: false, parent: folder });
    const content = Buffer.alloc(200 * 2 ** 20, "the harbour silted up ");
    const id = createHash("md5").update(content).digest("hex");
    const object = project.at(`.dvc/cache/files/md5/${id.slice(0, 2)}/${id.slice(2)}`);
    const room = () => {
      const { bavail, bsize } = fs.statfsSync(folder);
      return bavail * bsize;
    };
    await project.write("big.bin", content);
    const written = fs.openSync(project.at("big.bin"), "r");
    fs.fsyncSync(written);
    fs.closeSync(written);
    const before = room();
    // Two copies would not fit.
    expect(before).toBeLessThan(content.length);
    await project.open((repository) => addPaths(repository, ["big.bin"]));
    await rm(project.at("big.bin"));
    await project.open((repository) => checkout(repository));
    expect(before - room()).toBeLessThan(content.length / 10);
    expect(fs.readFileSync(project.at("big.bin")).equals(content)).toBe(true);
    fs.appendFileSync(project.at("big.bin"), "changed");
    expect(fs.readFileSync(object).equals(content)).toBe(true);
  },
);
