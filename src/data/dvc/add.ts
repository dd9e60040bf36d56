// Adds files and folders: their content goes to the cache, a .dvc file and a .gitignore entry take their place in Git.
import { stat } from "node:fs/promises";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { checkRoom } from "./disk-room.js";
import { dvcFileOf, newDvcText, updatedDvcText } from "./dvc-file.js";
import { ignoreInGit } from "./git-ignore.js";
import { directoryObject } from "./object-cache.js";
import type { DirectoryEntry, ObjectId } from "./object-hash.js";
import type { WorkOptions } from "./object-pool.js";
import { type Content, joinPath, nameOf } from "./output.js";
import type { DvcRepository } from "./repository.js";
import {
  isStageFile,
  outputAt,
  outputsUnder,
  type StageIndex,
  type StageOutput,
} from "./stages.js";
import {
  contentOf,
  type FoundFile,
  type FoundPath,
  findFiles,
  linkedFolderOf,
} from "./working-files.js";

/** A step of long work, for whoever shows it. */
export interface StepProgress {
  readonly step: "hash" | "place" | "push" | "fetch" | "delete";
  readonly files: number;
  readonly fileCount: number;
  readonly bytes: number;
  readonly sizeBytes: number;
}

export interface StepOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: StepProgress) => void) | undefined;
}

export interface Added {
  /** From the root. */
  readonly path: string;
  /** The .dvc file. */
  readonly file: string;
  readonly id: ObjectId;
  readonly sizeBytes: number;
  readonly fileCount: number;
  /** Whether the .dvc file says something new. */
  readonly isChanged: boolean;
  /** A .gitignore that was changed for it. */
  readonly gitignore: string | undefined;
}

interface Target {
  readonly path: string;
  readonly found: FoundPath;
  /** The output that it is or lies in. */
  readonly tracked: StageOutput | undefined;
}

/**
 * Adds paths. A .dvc file appears once all of its content is in the cache.
 * @param paths from the root
 * @throws FILE_NOT_FOUND, DVC_PATH_UNFIT, DVC_NAME_UNFIT, DVC_LINK_UNFIT, DVC_OUTPUT_OVERLAPS, DVC_TRACKED_BY_GIT,
 *   DVC_DISK_FULL, DVC_FILE_CHANGED, DVC_REPO_BUSY
 */
export async function addPaths(
  repository: DvcRepository,
  paths: readonly string[],
  options: StepOptions = {},
): Promise<Added[]> {
  return await repository.locked(
    "bridle data add",
    async () => {
      const index = await repository.stages();
      const targets: Target[] = [];
      for (const path of new Set(paths))
        targets.push(await readTarget(repository, index, path, paths));
      const added: Added[] = [];
      for (const target of targets) added.push(await addOne(repository, target, options));
      return added;
    },
    { ...options, againstDvc: true },
  );
}

async function readTarget(
  repository: DvcRepository,
  index: StageIndex,
  path: string,
  all: readonly string[],
): Promise<Target> {
  const unfit = (reason: string) => new BridleError("DVC_PATH_UNFIT", { path, reason });
  const name = nameOf(path);
  if (path === "") throw unfit("it is the whole repository");
  if (path === ".dvc" || path.startsWith(".dvc/") || path.split("/").includes(".git")) {
    throw unfit("DVC and Git keep their own files there");
  }
  if (isStageFile(name) || name === "dvc.lock") throw unfit("it is a file of DVC's own");
  const linked = linkedFolderOf(path, repository.root);
  if (linked !== undefined) throw unfit(`${linked} is a symbolic link to a folder`);
  if (/[\n\r]/.test(name)) {
    const reason = ".gitignore cannot name it, because a line ends in it";
    throw new BridleError("DVC_NAME_UNFIT", { path, reason });
  }
  const tracked = outputAt(index, path);
  if (tracked !== undefined && tracked.stage.command !== undefined) {
    throw overlap(path, tracked);
  }
  const [below] = outputsUnder(index, path);
  if (below !== undefined) throw overlap(path, below);
  const above = all.find((other) => path.startsWith(`${other}/`));
  if (above !== undefined) throw unfit(`it lies in ${above}, which is added too`);
  const found = await findFiles(path, repository.looking);
  if (found === undefined) {
    if ((await repository.tree.kindOf(path)) !== undefined)
      throw unfit("a .dvcignore file leaves it out");
    throw new BridleError("FILE_NOT_FOUND", { file: path });
  }
  const git = await repository.git();
  const inGit = (await git?.trackedUnder(path)) ?? [];
  if (inGit.length > 0) throw new BridleError("DVC_TRACKED_BY_GIT", { path });
  return { path, found, tracked };
}

function overlap(path: string, { stage, output }: StageOutput): BridleError {
  return new BridleError("DVC_OUTPUT_OVERLAPS", {
    path,
    other: output.path ?? output.definedPath,
    stage: stage.address,
  });
}

async function addOne(
  repository: DvcRepository,
  target: Target,
  options: StepOptions,
): Promise<Added> {
  const { path, found, tracked } = target;
  const hashes = await storeAll(repository, found.files, options);
  const made = contentOf(found, hashes, "md5");
  const isPart = tracked !== undefined && tracked.output.path !== path;
  const content = isPart
    ? await withPart(
        repository,
        tracked,
        path,
        made.entries ?? [{ relpath: "", md5: hashes[0] ?? "" }],
      )
    : made.content;
  if (made.list !== undefined && !isPart) {
    await repository.cache.writeObject(content.hash, made.list);
  }
  await linkAll(repository, found.files, hashes, options);
  const whole = tracked?.output.path ?? path;
  const isFolder = isPart || found.isFolder;
  const gitignore = await ignoreInGit(repository, whole, isFolder);
  const file = tracked?.stage.file ?? dvcFileOf(path);
  const isChanged = await writeDvcFile(repository, file, whole, tracked, content);
  return {
    path,
    file,
    id: content.hash.id,
    sizeBytes: content.sizeBytes ?? 0,
    fileCount: content.fileCount ?? 1,
    isChanged,
    gitignore,
  };
}

async function writeDvcFile(
  repository: DvcRepository,
  file: string,
  path: string,
  tracked: StageOutput | undefined,
  content: Content,
): Promise<boolean> {
  const before = await repository.tree.readText(file);
  const text =
    before === undefined || tracked === undefined
      ? newDvcText(nameOf(path), content)
      : updatedDvcText(before, file, tracked.output.definedPath, content);
  if (text === before) return false;
  await writeAtomically(repository.tree.resolve(file), (handle) => handle.writeFile(text));
  return true;
}

/** A tracked folder's content after a part of it was added anew. */
async function withPart(
  repository: DvcRepository,
  { output }: StageOutput,
  path: string,
  part: readonly DirectoryEntry[],
): Promise<Content> {
  const prefix = path.slice((output.path?.length ?? 0) + 1);
  const before = output.content && (await repository.cache.readDirectory(output.content.hash));
  if (before === undefined) {
    const id = output.content?.hash.id ?? "none";
    throw new BridleError("DVC_OBJECT_MISSING", { count: 1, path: output.path, id });
  }
  const kept = before.filter(
    ({ relpath }) => relpath !== prefix && !relpath.startsWith(`${prefix}/`),
  );
  const entries = [
    ...kept,
    ...part.map(({ relpath, md5 }) => ({
      relpath: relpath === "" ? prefix : joinPath(prefix, relpath),
      md5,
    })),
  ];
  const { id, bytes } = directoryObject(entries);
  await repository.cache.writeObject({ id, hashName: "md5" }, bytes);
  const found = await findFiles(output.path ?? "", repository.looking);
  const sizes = new Map(
    found?.files.map((file) => [file.relpath.split(nodePath.sep).join("/"), file.sizeBytes]),
  );
  const sizeBytes = entries.reduce((sum, { relpath }) => sum + (sizes.get(relpath) ?? 0), 0);
  return { hash: { id, hashName: "md5" }, sizeBytes, fileCount: entries.length };
}

/** Hashes files into the cache; those that are unchanged and there already are not read. */
export async function storeAll(
  repository: DvcRepository,
  files: readonly FoundFile[],
  options: StepOptions,
): Promise<string[]> {
  const { cache, memory, pool, hashing } = repository;
  const hashes: string[] = [];
  const todo: number[] = [];
  for (const [index, file] of files.entries()) {
    const known = memory.find(hashing.keyOf(file.file), file);
    const isKept = known !== undefined && cache.hasListed({ id: known, hashName: "md5" });
    hashes.push(isKept ? known : "");
    if (!isKept) todo.push(index);
  }
  const wanted = todo.map((index) => files[index] as FoundFile);
  const byHardlink = repository.links[0] === "hardlink";
  if (!byHardlink) {
    await checkRoom({
      scratch: cache.scratch,
      folder: cache.folder,
      what: `keeping ${wanted.length} files`,
      sizeBytes: wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      sources: wanted.map(({ file }) => file),
      mayRepeat: true,
    });
  }
  const working = stepOf("hash", wanted, options);
  const names = wanted.map(({ file }) => file);
  const results = await pool.store(names, cache.folder, byHardlink, cache.scratch, working);
  for (const [i, index] of todo.entries()) {
    const result = results[i];
    if (result === undefined) continue;
    hashes[index] = result.md5;
    memory.remember(hashing.keyOf(names[i] ?? ""), result);
    if (result.sizeBytes >= rememberedBytes) await rememberObject(repository, result.md5);
  }
  cache.forget();
  return hashes;
}

/** Objects from this size on are not hashed again before they are pushed, where nothing has touched them. */
export const rememberedBytes = 64 << 20;

/** Remembers a large object that has just been hashed. */
export async function rememberObject(
  { cache, memory, hashing }: DvcRepository,
  md5: string,
): Promise<void> {
  const place = cache.pathOf({ id: md5, hashName: "md5" });
  const { mtimeMs, ino, size } = await stat(place);
  if (size < rememberedBytes) return;
  const mark = { mtimeMs, inode: ino, sizeBytes: size, isExecutable: false };
  // It is write-protected since it is there, so that its age does not matter.
  memory.remember(hashing.keyOf(place), {
    ...mark,
    md5,
    hashedAtMs: Number.POSITIVE_INFINITY,
  });
}

/** Progress of a step from what the threads tell. */
export function stepOf(
  step: StepProgress["step"],
  files: readonly { readonly sizeBytes: number }[],
  { signal, onProgress }: StepOptions,
): WorkOptions {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    signal,
    onProgress: (done) =>
      onProgress?.({
        step,
        ...done,
        fileCount: files.length,
        sizeBytes: Math.max(sizeBytes, done.bytes),
      }),
  };
}

/** Where files of the working folder are links into the cache, makes those just added into such. */
async function linkAll(
  repository: DvcRepository,
  files: readonly FoundFile[],
  hashes: readonly string[],
  options: StepOptions,
): Promise<void> {
  const { links, cache, pool, scratch, memory, hashing } = repository;
  if (links[0] === "reflink" || links[0] === "copy") return;
  const placed = files.map(({ file, isExecutable }, index) => {
    const ref = { id: hashes[index] ?? "", hashName: "md5" as const };
    return { ...ref, object: cache.pathOf(ref), target: file, isExecutable, isKnown: true };
  });
  const results = await pool.place(placed, links, scratch, stepOf("place", files, options));
  for (const [index, result] of results.entries()) {
    memory.remember(hashing.keyOf(files[index]?.file ?? ""), result);
  }
}
