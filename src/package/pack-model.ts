// Packs a model folder: its files as they are, with a card, a signature and a manifest that names every byte.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";
import { type CardFacts, createCard, type ModelCard, readCard } from "./card.js";
import { describeModel, type Signature } from "./describe-model.js";
import { type EvaluationRecord, isOf } from "./evaluation-record.js";
import { createManifest, isSafePath, type PackageFile } from "./manifest.js";
import {
  checkCancelled,
  isPackageFolder,
  type ModelPackage,
  openPackageFolder,
  type PackageWork,
  readBytes,
  readPackageFile,
} from "./model-package.js";
import { renderCard } from "./render-card.js";
import { readTrainingRecord } from "./training-record.js";

export const cardFile = "card.json";
export const signatureFile = "signature.json";
export const readmeFile = "README.md";
/** What a folder's own README.md is called in a package, beside the card. */
const ownReadmeFile = "SOURCE-README.md";

export interface PackOptions extends PackageWork {
  /** What only a person can say of the model. */
  readonly facts?: CardFacts | undefined;
  /** Evaluations of it, as `readEvaluationFile` reads them; those of other models are refused. */
  readonly evaluations?: readonly EvaluationRecord[] | undefined;
  /** Id of the run that trained it, where its record does not say. */
  readonly runId?: string | undefined;
  /** Finds the licence of the model it was trained from, where that is known. */
  readonly licenceOf?:
    | ((parent: NonNullable<ModelCard["lineage"]["parent"]>) => Promise<string | null>)
    | undefined;
}

export interface PackedModel extends ModelPackage {
  readonly card: ModelCard;
  /**
   * To be asked after its bytes were read, which lie where they did.
   * @throws PACKAGE_SOURCE_CHANGED
   */
  checkUnchanged(): Promise<void>;
}

/** What tells that a file is the one that was hashed. */
interface Seen {
  readonly file: string;
  readonly identity: string;
}

async function identityOf(file: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true }).catch(
    (thrown) => {
      throw readError(thrown, file);
    },
  );
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

/**
 * Makes a package of a model folder in Hugging Face layout, as `bridle train` or anybody else wrote it. Nothing is copied:
 * the package's large files are the folder's. The same folder and facts give the same package, byte for byte.
 * @throws what describeModel throws; EVALUATION_INVALID for one of another model; PACKAGE_PATH_UNFIT;
 *   PACKAGE_SOURCE_CHANGED; CANCELLED
 */
export async function packModel(folder: string, options: PackOptions = {}): Promise<PackedModel> {
  const { facts = {}, evaluations = [], signal } = options;
  const model = await describeModel(folder);
  for (const { data, model: name, version, digest } of evaluations) {
    if (isOf({ model: name, version, digest }, { digest: "", fingerprint: model.fingerprint }))
      continue;
    throw new BridleError("EVALUATION_INVALID", {
      where: `The evaluation on ${data}`,
      reason: `it is of ${name}, version ${version}; the model in ${folder} is ${model.fingerprint}`,
    });
  }
  const earlier = await readEarlier(folder);
  const training = await readTrainingRecord(folder);
  const parent = training?.parent ?? earlier?.lineage.parent ?? null;
  const readme = await readFile(join(folder, readmeFile), "utf8").catch(() => undefined);
  const card = createCard({
    ...{ facts, model, training, evaluations, earlier, runId: options.runId },
    ownLicence: earlier === undefined ? licenceIn(readme) : undefined,
    parentLicence: (parent && (await options.licenceOf?.(parent))) ?? undefined,
  });
  const made = new Map<string, Buffer>([
    [cardFile, jsonOf(card)],
    [readmeFile, Buffer.from(renderCard(card, model.signature))],
    [signatureFile, jsonOf(model.signature)],
  ]);
  const sources = new Map(model.files.map((path) => [path, join(folder, path)]));
  const ownReadme = earlier === undefined ? readmeFile : ownReadmeFile;
  if (await isFile(join(folder, ownReadme))) sources.set(ownReadmeFile, join(folder, ownReadme));
  const { files, seen } = await hashFiles(sources, options);
  for (const [path, bytes] of made) {
    files.push({
      path,
      sizeBytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
  }
  return {
    name: folder,
    manifest: createManifest(files),
    card,
    open(path, startByte = 0, endByte) {
      const bytes = made.get(path);
      if (bytes !== undefined)
        return (async function* () {
          yield bytes.subarray(startByte, endByte);
        })();
      const file = sources.get(path);
      if (file === undefined) throw new BridleError("BUG", { reason: `no ${path} in the package` });
      return readBytes(file, startByte, endByte);
    },
    async checkUnchanged() {
      checkCancelled(signal);
      for (const { file, identity } of seen) {
        if ((await identityOf(file)) !== identity)
          throw new BridleError("PACKAGE_SOURCE_CHANGED", { file });
      }
    },
  };
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

const jsonOf = (value: unknown) => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

/** Hashes a folder's files, and notes what tells later that they are the same. */
async function hashFiles(
  sources: ReadonlyMap<string, string>,
  { signal, onProgress }: PackageWork,
): Promise<{ files: PackageFile[]; seen: Seen[] }> {
  const seen: Seen[] = [];
  let totalBytes = 0;
  for (const [path, file] of sources) {
    if (!isSafePath(path)) {
      const reason = path.length > 100 ? "too long" : "not one that every disk can hold";
      throw new BridleError("PACKAGE_PATH_UNFIT", { file, reason });
    }
    seen.push({ file, identity: await identityOf(file) });
    totalBytes += Number((await stat(file)).size);
  }
  const files: PackageFile[] = [];
  let doneBytes = 0;
  for (const [path, file] of sources) {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    try {
      for await (const piece of readBytes(file)) {
        checkCancelled(signal);
        hash.update(piece);
        sizeBytes += piece.length;
        doneBytes += piece.length;
        onProgress?.({ doneBytes, totalBytes, file: path });
      }
    } catch (thrown) {
      throw readError(thrown, file);
    }
    files.push({ path, sizeBytes, sha256: hash.digest("hex") });
  }
  return { files, seen };
}

/** The card of a folder that was exported from a package, which says what the folder's files do not. */
async function readEarlier(folder: string): Promise<ModelCard | undefined> {
  if (!(await isPackageFolder(folder))) return undefined;
  const earlier = await openPackageFolder(folder);
  return await readPackageCard(earlier);
}

/** @throws PACKAGE_INVALID, PACKAGE_ALTERED */
export async function readPackageCard(from: ModelPackage): Promise<ModelCard> {
  return readCard(await readPackageJson(from, cardFile), from.name);
}

/** @throws PACKAGE_INVALID, PACKAGE_ALTERED */
export async function readPackageSignature(from: ModelPackage): Promise<Signature> {
  return (await readPackageJson(from, signatureFile)) as Signature;
}

async function readPackageJson(from: ModelPackage, path: string): Promise<unknown> {
  const bytes = await readPackageFile(from, path);
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new BridleError("PACKAGE_INVALID", {
      where: from.name,
      reason: `its ${path} is no JSON`,
    });
  }
}

/** The licence that a README's front matter names, as the hub has it. */
function licenceIn(readme: string | undefined): string | undefined {
  const front = /^---\r?\n([\s\S]{0,20000}?)\r?\n---\r?\n/.exec(readme ?? "")?.[1];
  if (front === undefined) return undefined;
  try {
    const { license, license_name: name } = parse(front) as {
      license?: unknown;
      license_name?: unknown;
    };
    const said = license === "other" && typeof name === "string" ? name : license;
    return typeof said === "string" && said.trim() !== "" ? said.trim().slice(0, 100) : undefined;
  } catch {
    // Front matter that is no YAML names nothing.
    return undefined;
  }
}
