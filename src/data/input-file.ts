// Opens a file for reading, unpacking gzip and Zstandard on the way, and tells how far into the file the reading is.
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { BridleError } from "../errors/error.js";
import { readError, systemCode } from "../errors/file-errors.js";
import { isZstd, unpackZstd } from "./zstd.js";

export type Packing = "gzip" | "zstd";

export interface InputFile {
  /** The content, unpacked; to be iterated once. Iterating throws GZIP_CORRUPT, ZSTD_CORRUPT or FILE_NOT_READABLE. */
  readonly content: AsyncIterable<Uint8Array>;
  /** How the file is packed; undefined where it lies there as it is. */
  readonly packing: Packing | undefined;
  /** Size of the file as it is on disk, in bytes. */
  readonly sizeBytes: number;
  /** How much of that has been read so far, in bytes. */
  readonly readBytes: () => number;
}

const chunkBytes = 256 * 1024;

/**
 * Opens a file; how it is packed is known by its first bytes, whatever its name, and it is unpacked unless told otherwise.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE
 */
export async function openInputFile(
  file: string,
  options: { readonly unpack?: boolean } = {},
): Promise<InputFile> {
  const { sizeBytes, packing } = await look(file);
  const unpacking = options.unpack === false ? undefined : packing;
  let readBytes = () => 0;
  async function* content(): AsyncGenerator<Uint8Array> {
    const raw = createReadStream(file, { highWaterMark: chunkBytes });
    readBytes = () => raw.bytesRead;
    let failure: unknown;
    let stream: Readable = raw;
    if (unpacking === "gzip") stream = raw.pipe(createGunzip({ chunkSize: chunkBytes }));
    else if (unpacking === "zstd") {
      // Kept back, because what fzstd throws cannot be told by itself from a failure to read.
      raw.once("error", (cause) => {
        failure = cause;
      });
      stream = Readable.from(unpackZstd(raw), { objectMode: false, highWaterMark: chunkBytes });
    }
    if (stream !== raw) raw.once("error", (cause) => stream.destroy(cause));
    try {
      for await (const chunk of stream) yield chunk as Uint8Array;
    } catch (thrown) {
      const code = unpacking === "zstd" ? "ZSTD_CORRUPT" : "GZIP_CORRUPT";
      if (failure === undefined && (code === "ZSTD_CORRUPT" || isZlibError(thrown))) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        throw new BridleError(code, { file, reason }, { cause: thrown });
      }
      throw readError(failure ?? thrown, file);
    } finally {
      raw.destroy();
      stream.destroy();
    }
  }
  return { content: content(), packing, sizeBytes, readBytes: () => readBytes() };
}

function isZlibError(thrown: unknown): boolean {
  return systemCode(thrown).startsWith("Z_");
}

async function look(file: string): Promise<{ sizeBytes: number; packing: Packing | undefined }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const head = buffer.subarray(0, bytesRead);
    const isGzip = head[0] === 0x1f && head[1] === 0x8b;
    const packing = isGzip ? "gzip" : isZstd(head) ? "zstd" : undefined;
    return { sizeBytes: (await handle.stat()).size, packing };
  } catch (thrown) {
    throw readError(thrown, file);
  } finally {
    await handle?.close();
  }
}
