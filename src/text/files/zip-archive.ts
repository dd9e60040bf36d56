// A zip archive that trusts nothing it says of itself: names, counts and sizes are checked, and unpacking is bounded.
import { type Entry, fromBufferPromise, type ZipFile } from "yauzl";
import { BridleError } from "../../errors/error.js";
import { formatBytes } from "./document-text.js";

/** Far more than any document has; a directory of millions of entries is an attack on memory. */
const maxEntries = 10_000;

/**
 * XML of documents is at most some 40 times its packed size; a part that is far beyond, and large, was made to be.
 * Without this, 100 KB of upload keep a processor busy for ten seconds within all other limits.
 */
const maxRatio = 200;
const ratioMattersFromBytes = 4 * 1024 * 1024;

export interface ZipArchive {
  has(name: string): boolean;
  readonly names: readonly string[];
  /**
   * The content of an entry.
   * @throws FILE_DAMAGED, FILE_ENCRYPTED, FILE_UNPACKS_TOO_LARGE
   */
  read(name: string): Promise<Buffer>;
}

export interface ZipContext {
  /** How errors name the file, at a sentence's start. */
  readonly subject: string;
  /** What the file is to be, as errors name it: "docx". */
  readonly format: string;
  /** What the whole archive may unpack to, in bytes, declared and in fact. */
  readonly maxUnzippedBytes: number;
}

function damaged(context: ZipContext, reason: string, cause?: unknown): BridleError {
  const { subject: where, format } = context;
  return new BridleError("FILE_DAMAGED", { where, format, reason }, { cause });
}

function tooLarge(
  context: ZipContext,
  limit: string = formatBytes(context.maxUnzippedBytes),
): BridleError {
  return new BridleError("FILE_UNPACKS_TOO_LARGE", { where: context.subject, limit });
}

/** A library's message as the end of a sentence. */
function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.slice(0, 120).replace(/\.$/, "");
}

async function readDirectory(zip: ZipFile, context: ZipContext): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  let declaredBytes = 0;
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith("/")) continue;
    if (entries.size >= maxEntries) throw damaged(context, `it has more than ${maxEntries} parts`);
    // Which of two a reader takes is a matter of luck, so that a scanner and a reader may see different files.
    if (entries.has(entry.fileName)) throw damaged(context, "two of its parts have one name");
    declaredBytes += entry.uncompressedSize;
    if (declaredBytes > context.maxUnzippedBytes) throw tooLarge(context);
    entries.set(entry.fileName, entry);
  }
  return entries;
}

/**
 * Opens an archive and checks its directory without unpacking anything.
 * @throws FILE_DAMAGED, FILE_UNPACKS_TOO_LARGE
 */
export async function openZip(bytes: Uint8Array, context: ZipContext): Promise<ZipArchive> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let zip: ZipFile;
  let entries: Map<string, Entry>;
  try {
    zip = await fromBufferPromise(buffer, { lazyEntries: true, validateEntrySizes: true });
    entries = await readDirectory(zip, context);
  } catch (thrown) {
    if (thrown instanceof BridleError) throw thrown;
    throw damaged(context, reasonOf(thrown), thrown);
  }
  let unpackedBytes = 0;

  async function read(name: string): Promise<Buffer> {
    const entry = entries.get(name);
    if (entry === undefined) throw damaged(context, `it lacks its part ${name.slice(0, 80)}`);
    if (entry.isEncrypted()) throw new BridleError("FILE_ENCRYPTED", { where: context.subject });
    const { uncompressedSize, compressedSize } = entry;
    if (uncompressedSize > Math.max(ratioMattersFromBytes, maxRatio * compressedSize)) {
      throw tooLarge(context, `${maxRatio} times its size`);
    }
    const chunks: Buffer[] = [];
    try {
      const stream = await zip.openReadStreamPromise(entry);
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        // The declared sizes were added up before; a part may be read more than once and sizes may lie.
        unpackedBytes += chunk.length;
        if (unpackedBytes > context.maxUnzippedBytes) throw tooLarge(context);
        chunks.push(chunk);
      }
    } catch (thrown) {
      if (thrown instanceof BridleError) throw thrown;
      throw damaged(context, reasonOf(thrown), thrown);
    }
    return Buffer.concat(chunks);
  }

  return { names: [...entries.keys()], has: (name) => entries.has(name), read };
}
