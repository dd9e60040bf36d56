// Retrains a version from what is frozen beside it, and holds the weights that come out against the recorded ones.
import { existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { checkRunConfig } from "../config/load.js";
import { bridleVersion } from "../config/version.js";
import { fingerprintOf } from "../data/fingerprint.js";
import { BridleError } from "../errors/error.js";
import { checkReplaceable } from "../model/checkpoint/replaceable-folder.js";
import { readSafetensorsHeader } from "../model/checkpoint/safetensors.js";
import { readFloat32 } from "../model/checkpoint/stored.js";
import { type ResolveOptions, resolveModel } from "../model/resolve-model.js";
import { devices } from "../runtime/devices.js";
import type { LaidApart } from "./data-files.js";
import type { OnTrainEvent } from "./events.js";
import { train } from "./loop.js";
import { startHash } from "./start.js";
import {
  currentCommit,
  type DataFile,
  type FileHash,
  hashWeights,
  lockfileHash,
  type RunRecord,
  readRunRecord,
  recordFile,
} from "./trained-model.js";

/** Something that was recorded beside the weights, and what it is now. */
export interface Fact {
  readonly name: string;
  readonly recorded: string | number | null;
  readonly now: string | number | null;
  readonly same: boolean;
}

/** A tensor whose values are not the recorded ones'. */
export interface TensorDifference {
  readonly file: string;
  readonly tensor: string;
  /** Elements whose bits differ, of how many, and the most that one differs by; null where a tensor is only in one of the two. */
  readonly elements: number | null;
  readonly of: number | null;
  readonly largest: number | null;
}

export interface Reproduction {
  readonly version: string;
  /** Folder of the retrained model. */
  readonly output: string;
  /** Whether every file of weights has the bytes that are recorded. */
  readonly same: boolean;
  readonly weights: readonly (FileHash & { readonly now: string | null; readonly same: boolean })[];
  /** What may make a difference: code, libraries, machine. Data and the model to start from are equal, or nothing is trained. */
  readonly facts: readonly Fact[];
  readonly data: readonly DataFile[];
  /** Where the recorded weights are there to be compared with, and differ. */
  readonly differences: readonly TensorDifference[];
  readonly step: number;
}

/**
 * Brings the recorded version of a file or folder of data that is not there, or is another by now, and overwrites nothing.
 * @returns where it lies; undefined where no version of it is known
 */
export type FetchRecorded = (
  recorded: DataFile,
  signal?: AbortSignal,
) => Promise<LaidApart | undefined>;

export interface ReproduceOptions {
  /** Folder of the retrained model. Default: the version's with `-reproduced` at its end. */
  readonly output?: string;
  /** Whether an earlier reproduction in that folder is removed. Default false. */
  readonly overwrite?: boolean;
  readonly fetchRecorded?: FetchRecorded;
  readonly onEvent?: OnTrainEvent;
  /** Told once what is recorded has been held against what is there, before training begins. */
  readonly onFacts?: (facts: readonly Fact[]) => void;
  readonly onDownload?: ResolveOptions["onDownload"];
  /** Where the name of the model it started from may lead besides folders and the hub. */
  readonly sources?: ResolveOptions["sources"];
  readonly signal?: AbortSignal;
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const fileHash = z.object({ file: z.string().min(1), sha256: hash });
const dataFile = fileHash.extend({
  md5: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  dvc: z
    .object({
      path: z.string().min(1),
      md5: z.string().regex(/^[0-9a-f]{32}(\.dir)?$/),
      hash: z.literal("md5-dos2unix").optional(),
    })
    .optional(),
});
/** What is read of a record; the configuration is checked by its own schema. */
const Recorded = z.object({
  version: z.literal(1),
  bridle: z.string(),
  config: z.unknown(),
  runHash: hash,
  data: z.array(dataFile).min(1),
  startSha256: hash.optional(),
  lockfileSha256: hash.nullable(),
  commit: z.string().nullable(),
  platform: z.object({
    node: z.string(),
    arch: z.string(),
    os: z.string().optional(),
    cpu: z.string().optional(),
    device: z.enum(devices).optional(),
    threads: z.number().int().min(1),
  }),
  weights: z.array(fileHash).min(1).optional(),
});

type Recorded = z.output<typeof Recorded> & Pick<RunRecord, "config">;

async function readRecorded(folder: string): Promise<Recorded> {
  const json = await readRunRecord(folder);
  const file = join(folder, recordFile);
  if (json === undefined) throw new BridleError("VERSION_NOT_FOUND", { folder });
  const checked = Recorded.safeParse(json);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const reason = `${issue!.path.join(".") || "its content"}: ${issue!.message}`;
    throw new BridleError("FILE_INVALID", { file, reason });
  }
  return { ...checked.data, config: checkRunConfig(json.config) };
}

/**
 * Holds every file of data against its recorded hash.
 * @returns those that lie apart, as another version lies where they belong
 * @throws REPRODUCE_INPUT_MISSING, REPRODUCE_INPUT_CHANGED
 */
async function checkData(
  files: readonly DataFile[],
  { fetchRecorded, signal }: ReproduceOptions,
): Promise<ReadonlyMap<string, LaidApart>> {
  const laidApart = new Map<string, LaidApart>();
  for (const recorded of files) {
    const { file, sha256, dvc, md5 } = recorded;
    let now = existsSync(file) ? (await fingerprintOf(file, signal)).sha256 : undefined;
    if (now === sha256) continue;
    // Of a folder some files may be there alone; of a file that is another nothing tells which it was, unless it is recorded.
    const mayBePart = now !== undefined && statSync(file).isDirectory();
    if (now === undefined || dvc !== undefined || md5 !== undefined || mayBePart) {
      const found = await fetchRecorded?.(recorded, signal);
      if (found !== undefined) now = (await fingerprintOf(found.place, signal)).sha256;
      if (found !== undefined && found.place !== file) laidApart.set(file, found);
    }
    if (now === undefined) throw new BridleError("REPRODUCE_INPUT_MISSING", { file, sha256 });
    if (now !== sha256) {
      const restore = `Bring the recorded one back: \`git log --oneline -- '${file}' '${file}.dvc'\` lists the commits that had others`;
      const details = { what: file, recorded: sha256, now, restore };
      throw new BridleError("REPRODUCE_INPUT_CHANGED", details);
    }
  }
  return laidApart;
}

/** Holds the model that is started from against its recorded hash. @throws REPRODUCE_INPUT_CHANGED */
async function checkStart(
  { config, startSha256 }: Recorded,
  { onDownload, sources, signal }: ReproduceOptions,
): Promise<void> {
  if (startSha256 === undefined) return;
  const fresh = config.model.name === undefined;
  const what = (config.model.name ?? config.model.tokenizer) as string;
  const folder = await resolveModel(what, {
    needs: fresh ? ["tokenizer"] : ["model", "tokenizer"],
    sources,
    ...(onDownload && { onDownload }),
    ...(signal && { signal }),
  });
  const now = await startHash(folder, fresh, signal);
  if (now !== startSha256) {
    const restore = `Put the model back that it was: from the hub by its commit, model.name=ID@COMMIT; from the registry by \`bridle models show\`; a folder by \`git log --oneline -- '${what}'\``;
    const details = { what, recorded: startSha256, now, restore };
    throw new BridleError("REPRODUCE_INPUT_CHANGED", details);
  }
}

async function factsOf(recorded: Recorded): Promise<Fact[]> {
  const { platform } = recorded;
  const facts: [string, string | number | null | undefined, string | number | null][] = [
    ["bridle", recorded.bridle, bridleVersion],
    ["commit", recorded.commit, await currentCommit()],
    ["package-lock.json", recorded.lockfileSha256, await lockfileHash()],
    ["node", platform.node, process.version],
    ["os", platform.os, process.platform],
    ["arch", platform.arch, process.arch],
    ["cpu", platform.cpu, cpus()[0]?.model ?? "unknown"],
    // As many are used as were recorded, whatever the machine has, and on the same device.
    ["threads", platform.threads, platform.threads],
    ["device", platform.device, platform.device ?? null],
  ];
  return facts.flatMap(([name, then, now]) => {
    if (then === undefined) return [];
    return [{ name, recorded: then, now, same: then === now }];
  });
}

/** Most tensors that are told one by one. */
const mostTold = 20;

/** Tensors of two files whose bits differ. */
async function differencesBetween(
  file: string,
  before: string,
  after: string,
): Promise<TensorDifference[]> {
  const [old, made] = await Promise.all([before, after].map((path) => readSafetensorsHeader(path)));
  const found: TensorDifference[] = [];
  for (const tensor of new Set([...old!.keys(), ...made!.keys()])) {
    if (found.length === mostTold) break;
    const [a, b] = [old!.get(tensor), made!.get(tensor)];
    if (a === undefined || b === undefined || a.shape.join() !== b.shape.join()) {
      found.push({ file, tensor, elements: null, of: null, largest: null });
      continue;
    }
    const [x, y] = await Promise.all([readFloat32(a), readFloat32(b)]);
    const [xBits, yBits] = [x, y].map(
      (each) => new Uint32Array(each.buffer, each.byteOffset, each.length),
    );
    let elements = 0;
    let largest = 0;
    for (let at = 0; at < x.length; at++) {
      if (xBits![at] === yBits![at]) continue;
      elements++;
      largest = Math.max(largest, Math.abs(x[at]! - y[at]!));
    }
    if (elements > 0) found.push({ file, tensor, elements, of: x.length, largest });
  }
  return found;
}

/**
 * Trains a version again from its frozen configuration, in a folder of its own, and compares the weights bit for bit with
 * the recorded hashes, which do for versions whose weights are not there. A reproduction that was interrupted goes on.
 * @param version folder with a bridle.json; paths in it are from the folder the process runs in, as they were in training
 * @throws VERSION_NOT_FOUND, FILE_INVALID, REPRODUCE_INPUT_MISSING, REPRODUCE_INPUT_CHANGED, REPRODUCE_NOTHING_RECORDED,
 *   OUTPUT_EXISTS, OUTPUT_NOT_REPLACEABLE, and what training throws. Weights that differ are a result, not an error.
 */
export async function reproduce(
  version: string,
  options: ReproduceOptions = {},
): Promise<Reproduction> {
  const recorded = await readRecorded(version);
  const present = await hashWeights(version);
  const expected = recorded.weights ?? present;
  if (expected.length === 0)
    throw new BridleError("REPRODUCE_NOTHING_RECORDED", { folder: version });
  const output = options.output ?? `${version.replace(/[/\\]+$/, "")}-reproduced`;
  const isVersion = resolve(output) === resolve(version);
  const isThere = existsSync(join(output, recordFile));
  if (isVersion || (isThere && !options.overwrite)) {
    throw new BridleError("OUTPUT_EXISTS", { file: output });
  }
  if (isThere) await checkReplaceable(output, []);
  const facts = await factsOf(recorded);
  options.onFacts?.(facts);
  const laidApart = await checkData(recorded.data, options);
  await checkStart(recorded, options);
  if (isThere) await rm(output, { recursive: true });
  const { config, platform } = recorded;
  const { onEvent, onDownload, sources, signal } = options;
  const { record } = await train(
    { ...config, train: { ...config.train, output } },
    {
      ...{ threads: platform.threads, device: platform.device },
      laidApart,
      ...(onEvent && { onEvent }),
      ...(onDownload && { onDownload }),
      ...(sources && { sources }),
      ...(signal && { signal }),
    },
  );
  const made = new Map((record.weights ?? []).map(({ file, sha256 }) => [file, sha256]));
  const weights = expected.map((each) => {
    const now = made.get(each.file) ?? null;
    return { ...each, now, same: now === each.sha256 };
  });
  const differences: TensorDifference[] = [];
  for (const { file, now, same, sha256 } of weights) {
    const isPresent = present.some((each) => each.file === file && each.sha256 === sha256);
    if (same || now === null || !isPresent) continue;
    differences.push(...(await differencesBetween(file, join(version, file), join(output, file))));
  }
  const same = weights.every((each) => each.same);
  const { data } = recorded;
  return { version, output, same, weights, facts, data, differences, step: record.step };
}
