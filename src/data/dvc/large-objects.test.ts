// Objects too large to be read each time: one that is not remembered as it is now is read before it is put in place.
import { createHash } from "node:crypto";
import { chmod, rm, utimes, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { addPaths } from "./add.js";
import { checkout } from "./checkout.js";
import { objectKey } from "./object-hash.js";

let project: DvcProject;
beforeEach(async () => {
  project = await DvcProject.create({ withGit: false });
});
afterEach(() => project.remove());

it("a large object that was spoilt and write-protected again is not put in place", async () => {
  const content = Buffer.alloc((64 << 20) + 1, "bridle");
  await project.write("a.bin", content);
  await project.open((repository) => addPaths(repository, ["a.bin"]));
  const id = createHash("md5").update(content).digest("hex");
  const object = project.at(`.dvc/cache/${objectKey({ id, hashName: "md5" })}`);
  content[5] = 0;
  await chmod(object, 0o644);
  await writeFile(object, content);
  await utimes(object, 1, 1);
  await chmod(object, 0o444);
  await rm(project.at("a.bin"));
  const placing = project.open((repository) => checkout(repository));
  await expect(placing).rejects.toMatchObject({ code: "DVC_OBJECT_CORRUPT" });
  expect(project.has("a.bin")).toBe(false);
}, 60_000);
