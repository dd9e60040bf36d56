// The doctor's look at the remotes of versioned data: whether each is there and takes the credentials at hand.
import { existsSync } from "node:fs";
import { BridleError, toBridleError } from "../errors/error.js";
import { withoutPasswords } from "../errors/without-passwords.js";
import { type BlobReader, type BlobStore, isBlobStore } from "../ports/blob-store.js";
import type { Finding } from "./doctor-checks.js";

/** Opens every remote of the repository that a folder is in, and asks each what it holds. */
export async function checkRemotes(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding> {
  const [{ DvcRepository }, { listRemotes, remoteLocation }, { openBlobStore }] = await Promise.all(
    [import("../data/dvc/repository.js"), import("../data/dvc/remote.js"), import("../compose.js")],
  );
  let repository: Awaited<ReturnType<typeof DvcRepository.open>>;
  try {
    repository = await DvcRepository.open(folder, { env: { ...env } });
  } catch (thrown) {
    const { code, message, hint } = toBridleError(thrown);
    if (code === "DVC_REPO_NOT_FOUND")
      return { status: "ok", message: "no data is versioned here" };
    return { status: "fail", message, next: hint };
  }
  const remotes = listRemotes(repository.config);
  if (remotes.length === 0)
    return { status: "ok", message: "data is versioned here, without a remote" };
  const answered: string[] = [];
  const absent: string[] = [];
  const failed: { readonly message: string; readonly next: string }[] = [];
  for (const { name, url, isDefault } of remotes) {
    try {
      const store = await openBlobStore(remoteLocation(repository, name, { ...env }));
      await askStore(store).finally(() => store.close());
      const folder = isBlobStore(store) ? store.fileOf?.("") : undefined;
      if (folder !== undefined && !existsSync(folder)) absent.push(`${name}: ${store.name}`);
      else answered.push(`${name}${isDefault ? " (default)" : ""} ${withoutPasswords(url)}`);
    } catch (thrown) {
      const { message, hint } = toBridleError(thrown);
      failed.push({ message: `${name}: ${message}`, next: hint });
    }
  }
  const others = answered.length === 0 ? "" : ` Those that answer: ${answered.join(", ")}.`;
  const gone = absent.map((each) => `${each} is no folder that is there.`);
  const mount =
    "Mount the disk it is on; where nothing was pushed yet, the first `bridle data push` makes it.";
  const [first] = failed;
  if (first === undefined) {
    if (gone.length === 0) return { status: "ok", message: `each answers: ${answered.join(", ")}` };
    return { status: "warn", message: gone.join(" ") + others, next: mount };
  }
  const next = [...failed.map((each) => each.next), ...(gone.length === 0 ? [] : [mount])];
  return {
    status: "fail",
    message: [...failed.map(({ message }) => message), ...gone].join(" ") + others,
    next: [...new Set(next)].join(" "),
  };
}

/** A key that is not there is answered alike by a bucket without it and by none, so that a bucket is listed. */
async function askStore(store: BlobReader | BlobStore): Promise<void> {
  const key = `files/md5/00/${"0".repeat(30)}`;
  if (!isBlobStore(store)) {
    await store.head(key);
    return;
  }
  try {
    for await (const _ of store.list("files/md5/00/")) break;
  } catch (thrown) {
    // Whoever may fetch by name may not be allowed to list.
    if (!(thrown instanceof BridleError && thrown.code === "BLOB_DENIED")) throw thrown;
    await store.head(key);
  }
}
