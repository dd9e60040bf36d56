// The files that a split is written to, and the copying of rows into them byte by byte.
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../../errors/error.js";
import { writeError } from "../../errors/file-errors.js";
import { openInputFile } from "../input-file.js";
import { asUtf8, encodingNamed } from "../text-bytes.js";
import type { Share } from "./assign.js";

const lineFeed = 0x0a;
const bufferBytes = 1024 * 1024;

export interface SplitOutput {
  /** Appends bytes to a split's file. @throws FILE_NOT_WRITABLE */
  write(split: number, bytes: Uint8Array): Promise<void>;
  /** Ends the line in hand, where the last row written had no line end. */
  endLine(split: number): Promise<void>;
  /** Writes out and syncs what is left. @returns each split's file with its hash */
  finish(
    rows: readonly number[],
  ): Promise<Record<string, { file: string; rows: number; sha256: string }>>;
  /** Writes one more file beside them. */
  note(name: string, text: string): Promise<void>;
  close(): Promise<void>;
  readonly count: number;
  /** The row of column names that every file begins with, once there is one. */
  header: Buffer | undefined;
}

interface OutputFile {
  readonly name: string;
  readonly file: string;
  readonly handle: FileHandle;
  readonly hash: ReturnType<typeof createHash>;
  parts: Uint8Array[];
  held: number;
  /** Whether the last byte written ends a line, or nothing is written yet. */
  ended: boolean;
}

/** @throws FILE_NOT_WRITABLE */
export async function openOutputs(
  folder: string,
  shares: readonly Share[],
  ending: string,
): Promise<SplitOutput> {
  const files: OutputFile[] = [];
  for (const { name } of shares) {
    const file = `${name}.${ending}`;
    const place = path.join(folder, file);
    const handle = await open(place, "wx").catch(async (thrown) => {
      for (const each of files) await each.handle.close();
      throw writeError(thrown, place);
    });
    const hash = createHash("sha256");
    files.push({ name, file, handle, hash, parts: [], held: 0, ended: true });
  }
  const flush = async (output: OutputFile) => {
    const bytes = Buffer.concat(output.parts, output.held);
    output.parts = [];
    output.held = 0;
    output.hash.update(bytes);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await output.handle.write(bytes, done)).bytesWritten;
      }
    } catch (thrown) {
      throw writeError(thrown, path.join(folder, output.file));
    }
  };
  const write = async (split: number, bytes: Uint8Array) => {
    const output = files[split]!;
    if (bytes.length === 0) return;
    output.parts.push(bytes);
    output.held += bytes.length;
    output.ended = bytes.at(-1) === lineFeed;
    if (output.held >= bufferBytes) await flush(output);
  };
  return {
    count: files.length,
    header: undefined,
    write,
    endLine: (split) =>
      files[split]!.ended ? Promise.resolve() : write(split, Buffer.of(lineFeed)),
    async finish(rows) {
      const told: Record<string, { file: string; rows: number; sha256: string }> = {};
      for (const [at, output] of files.entries()) {
        await flush(output);
        await output.handle.sync();
        const { name, file } = output;
        told[name] = { file, rows: rows[at]!, sha256: output.hash.digest("hex") };
      }
      return told;
    },
    async note(name, text) {
      const handle = await open(path.join(folder, name), "wx");
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
    async close() {
      for (const { handle } of files) await handle.close();
    },
  };
}

export interface CopyOptions {
  /** The line on which each row begins, from 1, rising. */
  readonly lines: Uint32Array;
  /** The split of each row. */
  readonly splits: Uint8Array;
  /** Whether what stands before the first row names the columns. */
  readonly isTable: boolean;
  readonly encoding?: string;
}

/**
 * Copies each row's lines, from the one it begins on to the next row's, to its split. What stands before the first row of a
 * table names the columns and goes to every split, once.
 * @throws SPLIT_IMPOSSIBLE where a table names other columns than the one before; FILE_NOT_READABLE, FILE_NOT_WRITABLE, and
 *   what unpacking throws
 */
export async function copyRows(
  file: string,
  { lines, splits, isTable, encoding }: CopyOptions,
  outputs: SplitOutput,
  told: (readBytes: number) => void,
): Promise<void> {
  const input = await openInputFile(file);
  const named = encoding === undefined ? undefined : encodingNamed(encoding);
  const { content } = await asUtf8(input.content, file, named);
  let line = 1;
  let row = -1;
  let first = true;
  const header: Uint8Array[] = [];
  for await (const chunk of content) {
    const isMarked = first && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf;
    let from = isMarked ? 3 : 0;
    first = false;
    while (from < chunk.length) {
      const before = row;
      while (row + 1 < lines.length && lines[row + 1]! <= line) row++;
      if (before < 0 && row >= 0 && isTable) await putHeader(file, Buffer.concat(header), outputs);
      const found = chunk.indexOf(lineFeed, from);
      const end = found < 0 ? chunk.length : found + 1;
      const piece = chunk.subarray(from, end);
      if (row < 0) header.push(piece);
      else await outputs.write(splits[row]!, piece);
      if (found >= 0) line++;
      from = end;
    }
    told(input.readBytes());
  }
}

async function putHeader(file: string, header: Buffer, outputs: SplitOutput): Promise<void> {
  const names = (bytes: Buffer) => bytes.toString().trim();
  if (outputs.header === undefined) {
    outputs.header = header;
    for (let split = 0; split < outputs.count; split++) await outputs.write(split, header);
  } else if (names(outputs.header) !== names(header)) {
    const reason = "its first row is not that of the file before, so that they are no one table";
    throw new BridleError("SPLIT_IMPOSSIBLE", { file, reason });
  }
}
