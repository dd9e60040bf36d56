// Makes what was written last across a power cut, where the system can.
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../errors/file-errors.js";

/** Makes a folder's entries last. Some systems open no folders; there nothing more can be done. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/** Makes a file last, or a folder with all that is in it. @throws what the file system throws */
export async function syncTree(path: string): Promise<void> {
  if ((await stat(path)).isDirectory()) {
    for (const name of await readdir(path)) await syncTree(join(path, name));
    return await syncFolder(path);
  }
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } catch (thrown) {
    // Windows syncs nothing that is open for reading alone.
    if (systemCode(thrown) !== "EPERM") throw thrown;
  } finally {
    await handle.close();
  }
}
