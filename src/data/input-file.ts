// Opens a file of rows for reading, unpacking gzip on the way, and tells how far into the file the reading is.
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { BridleError } from "../errors/error.js";
import { readError, systemCode } from "../errors/file-errors.js";

export interface InputFile {
  /** The content, unpacked; to be iterated once. Iterating throws GZIP_CORRUPT or FILE_NOT_READABLE. */
  readonly content: AsyncIterable<Uint8Array>;
  /** Size of the file as it is on disk, in bytes. */
  readonly sizeBytes: number;
  /** How much of that has been read so far, in bytes. */
  readonly readBytes: () => number;
}

const chunkBytes = 256 * 1024;

/**
 * Opens a file; what is gzip is known by its first bytes, whatever its name, and unpacked unless told otherwise.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE
 */
export async function openInputFile(
  file: string,
  options: { readonly unpack?: boolean } = {},
): Promise<InputFile> {
  const { sizeBytes, isGzip } = await look(file);
  const packed = isGzip && options.unpack !== false;
  let readBytes = () => 0;
  async function* content(): AsyncGenerator<Uint8Array> {
    const raw = createReadStream(file, { highWaterMark: chunkBytes });
    readBytes = () => raw.bytesRead;
    const stream = packed ? raw.pipe(createGunzip({ chunkSize: chunkBytes })) : raw;
    if (stream !== raw) raw.once("error", (cause) => stream.destroy(cause));
    try {
      for await (const chunk of stream) yield chunk as Uint8Array;
    } catch (thrown) {
      if (systemCode(thrown).startsWith("Z_")) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        throw new BridleError("GZIP_CORRUPT", { file, reason }, { cause: thrown });
      }
      throw readError(thrown, file);
    } finally {
      raw.destroy();
      stream.destroy();
    }
  }
  return { content: content(), sizeBytes, readBytes: () => readBytes() };
}

async function look(file: string): Promise<{ sizeBytes: number; isGzip: boolean }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    const isGzip = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
    return { sizeBytes: (await handle.stat()).size, isGzip };
  } catch (thrown) {
    throw readError(thrown, file);
  } finally {
    await handle?.close();
  }
}
