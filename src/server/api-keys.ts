// API keys: made at random, kept only as SHA-256 digests, compared in constant time.
import { createHash, randomBytes, randomUUID, scrypt, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";
import { BridleError } from "../errors/error.js";

/** What a key may do: send documents; read models, limits and metrics; operate the service (which includes both). */
export const scopes = ["summarize", "read", "admin"] as const;
export type Scope = (typeof scopes)[number];

const KeyRecord = z.strictObject({
  /** Which key it is, for good: what it sent belongs to this, whatever it is called and wherever it stands in a list. */
  id: z.string().min(1),
  /** What people call it. */
  name: z.string().min(1),
  scopes: z.array(z.enum(scopes)).min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits"),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().optional(),
});
const KeyFile = z.strictObject({ keys: z.array(KeyRecord) });

/** A key as it is kept: everything but the key. */
export type ApiKeyRecord = z.output<typeof KeyRecord>;

export interface NewApiKey {
  /** Who or what uses it; shown in logs. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** When it stops working; never unless said. */
  readonly expiresAt?: Date | undefined;
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/**
 * Makes a key of 256 random bits. The key itself is returned once and stored nowhere.
 * A plain digest is enough at rest: nothing can be guessed that holds 256 random bits.
 */
export function createApiKey({ name, scopes, expiresAt }: NewApiKey): {
  key: string;
  record: ApiKeyRecord;
} {
  const key = `bridle_${randomBytes(32).toString("base64url")}`;
  const record: ApiKeyRecord = {
    id: randomUUID(),
    name,
    scopes: [...scopes],
    sha256: digest(key).toString("hex"),
    createdAt: new Date().toISOString(),
    ...(expiresAt && { expiresAt: expiresAt.toISOString() }),
  };
  return { key, record };
}

/**
 * Adds a new key to a key file, making the file where there is none (readable by its owner only). Of several that are added at
 * once by several processes each is kept.
 * @returns the key, to be shown once
 * @throws KEY_FILE_INVALID when the file is there but is no key file; KEY_FILE_BUSY; KEY_NAME_TAKEN; INVALID_PARAMETER for what
 *   could not be read from the file again
 */
export async function addApiKey(file: string, wanted: NewApiKey): Promise<string> {
  const { key, record } = createApiKey(wanted);
  const add = async () => {
    const known = await readKeyFile(file, { mayBeAbsent: true });
    checkKeyName(wanted.name, file, known);
    checkRecord(record);
    const text = `${JSON.stringify({ keys: [...known, record] }, null, 2)}\n`;
    await writeFileAtomic(file, text, { mode: 0o600 });
  };
  const [{ changeAlone }, { findOutput }] = await Promise.all([
    import("../compose.js"),
    import("../text/files/write-output.js"),
  ]);
  const { file: place } = await findOutput(file);
  await changeAlone(place, add, ({ pid, host, lock }) => {
    return new BridleError("KEY_FILE_BUSY", { file, pid, host: host || "another machine", lock });
  });
  return key;
}

/** @throws INVALID_PARAMETER */
function checkRecord(record: ApiKeyRecord): void {
  const [issue] = KeyRecord.safeParse(record).error?.issues ?? [];
  if (issue === undefined) return;
  const field = String(issue.path[0]);
  throw new BridleError("INVALID_PARAMETER", {
    parameter: `the key's ${field}`,
    value: JSON.stringify(record[field as keyof ApiKeyRecord]),
    expected: `what a key file may hold (${issue.message})`,
  });
}

const environmentName = /^environment-/i;

/** Two keys of one name could not be told apart in logs and histories. @throws KEY_NAME_TAKEN */
function checkKeyName(name: string, file: string, known: readonly ApiKeyRecord[]): void {
  const shown = JSON.stringify(name.slice(0, 100));
  if (environmentName.test(name)) {
    const reason = "keys of the environment (BRIDLE_API_KEYS) have such names";
    throw new BridleError("KEY_NAME_TAKEN", { name: shown, reason });
  }
  if (known.some((record) => record.name === name)) {
    throw new BridleError("KEY_NAME_TAKEN", {
      name: shown,
      reason: `${file} has one of that name`,
    });
  }
}

async function readKeyFile(
  file: string,
  { mayBeAbsent }: { mayBeAbsent: boolean },
): Promise<ApiKeyRecord[]> {
  const invalid = (reason: string, cause?: unknown) =>
    new BridleError("KEY_FILE_INVALID", { file, reason }, { cause });
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" && mayBeAbsent) return [];
    throw invalid(
      code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`,
      cause,
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw invalid("it is not JSON");
  }
  const checked = KeyFile.safeParse(content);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw invalid(`${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { keys } = checked.data;
  const places = new Map<string, number>();
  for (const [index, { id }] of keys.entries()) {
    const other = places.get(id);
    // What one of them sent would be the other's too.
    if (other !== undefined) throw invalid(`keys.${index}.id: is that of keys.${other} too`);
    places.set(id, index);
  }
  return keys;
}

const idBytes = 8;
/**
 * Which key of the environment it is: the same for the same key, wherever it stands in the list. Made so slowly that an id
 * which is seen in a history or a database does not help anybody to guess a short key.
 */
async function environmentId(key: string): Promise<string> {
  const made = await promisify<string, string, number, Buffer>(scrypt)(
    key,
    "bridle api key",
    idBytes,
  );
  return `environment:${made.toString("hex")}`;
}

/** A key from the environment: `KEY`, which may do everything, or `KEY=scope+scope`. */
async function parseEnvironmentKey(text: string, index: number): Promise<ApiKeyRecord> {
  const cut = text.lastIndexOf("=");
  const named = text.slice(cut + 1).split("+");
  // A key may itself end in "=", as base64 does; only a list of scopes after it is read as one.
  const hasScopes = cut > 0 && named.every((word) => (scopes as readonly string[]).includes(word));
  const key = hasScopes ? text.slice(0, cut) : text;
  return {
    id: await environmentId(key),
    name: `environment-${index + 1}`,
    scopes: hasScopes ? (named as Scope[]) : [...scopes],
    sha256: digest(key).toString("hex"),
    createdAt: new Date(0).toISOString(),
  };
}

/** A key for people who read of it later, when its name may be another's: the name, and eight digits of which key it is. */
export function keyLabel({ id, name }: Pick<ApiKeyRecord, "id" | "name">): string {
  return `${name} (${id.replace(/^environment:/, "").slice(0, 8)})`;
}

export interface KeyRing {
  /** How many keys there are; with none, nobody is asked for one. */
  readonly size: number;
  /** Every key as histories call it. */
  readonly labels: readonly string[];
  /** The record a presented key belongs to, unless it is unknown or expired. */
  find(presented: string): ApiKeyRecord | undefined;
}

export function createKeyRing(records: readonly ApiKeyRecord[], now = () => Date.now()): KeyRing {
  const entries = records.map((record) => ({ record, digest: Buffer.from(record.sha256, "hex") }));
  return {
    size: entries.length,
    labels: records.map(keyLabel),
    find(presented) {
      const wanted = digest(presented);
      let found: ApiKeyRecord | undefined;
      // Every entry is compared, so that the time taken tells nothing about which one fits.
      for (const entry of entries) {
        if (timingSafeEqual(entry.digest, wanted)) found = entry.record;
      }
      const expired = found?.expiresAt !== undefined && Date.parse(found.expiresAt) <= now();
      return expired ? undefined : found;
    },
  };
}

/**
 * The keys of a server: those of the environment and those of its key file. Where a file is named there are keys: one that
 * lost its last does not open the server to everybody.
 * @throws KEY_FILE_INVALID
 */
export async function loadKeyRing(config: {
  readonly apiKeys: readonly string[];
  readonly apiKeysFile?: string | undefined;
}): Promise<KeyRing> {
  const { apiKeys, apiKeysFile: file } = config;
  const fromFile = file === undefined ? [] : await readKeyFile(file, { mayBeAbsent: false });
  if (file !== undefined && fromFile.length + apiKeys.length === 0) {
    const reason =
      "it holds no key, and nobody would be asked for one; leave it out if that is meant.";
    throw new BridleError("KEY_FILE_INVALID", { file, reason });
  }
  const fromEnvironment = await Promise.all(apiKeys.map(parseEnvironmentKey));
  return createKeyRing([...fromEnvironment, ...fromFile]);
}

/** True where a key with these scopes may use a route that asks for `wanted`. */
export function grants(held: readonly Scope[], wanted: Scope): boolean {
  return held.includes(wanted) || held.includes("admin");
}
