// Reads the rows of a Parquet file a stretch at a time, and of its columns only those that are asked for.
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { BridleError } from "../errors/error.js";
import type { Row } from "./row.js";
import type { RandomAccess } from "./spool.js";

export interface ParquetOptions {
  /** Which of a file's columns to read. Default: all. */
  readonly select?: (columns: readonly string[]) => readonly string[];
  /** Told how far the reading is, as a share of the rows, 0..1. */
  readonly onShare?: (share: number) => void;
}

export interface ParquetRow {
  readonly row: Row;
  /** About as much memory as the row takes, in bytes. */
  readonly sizeBytes: number;
}

/** Rows are unpacked so many bytes at a time. */
const stretchBytes = 16_000_000;
/** Most that the columns read may take in one row group, packed. It is held while the group is read. */
const maxPackedBytes = 1_500_000_000;
/** Most that lists may take in one row group, unpacked: a column of lists cannot be read in stretches. */
const maxListBytes = 250_000_000;

/** Whether bytes begin as a Parquet file does. */
export function isParquet(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x41 && head[2] === 0x52 && head[3] === 0x31;
}

interface Group {
  readonly start: number;
  readonly rows: number;
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  readonly hasLists: boolean;
}

function groupsOf(metadata: FileMetaData, columns: ReadonlySet<string>): Group[] {
  let start = 0;
  return metadata.row_groups.map((group) => {
    const rows = Number(group.num_rows);
    let packedBytes = 0;
    let unpackedBytes = 0;
    let hasLists = false;
    for (const { meta_data: column } of group.columns) {
      if (column === undefined || !columns.has(column.path_in_schema[0]!)) continue;
      packedBytes += Number(column.total_compressed_size);
      unpackedBytes += Number(column.total_uncompressed_size);
      hasLists ||= column.path_in_schema.length > 1;
    }
    start += rows;
    return { start: start - rows, rows, packedBytes, unpackedBytes, hasLists };
  });
}

function checkGroup(group: Group, file: string): void {
  const { packedBytes, unpackedBytes, hasLists } = group;
  const isTooLarge = packedBytes > maxPackedBytes || (hasLists && unpackedBytes > maxListBytes);
  if (!isTooLarge) return;
  const megabytes = Math.round(Math.max(packedBytes, hasLists ? unpackedBytes : 0) / 1e6);
  throw new BridleError("PARQUET_GROUP_TOO_LARGE", { file, row: group.start + 1, megabytes });
}

interface GroupBuffer extends AsyncBuffer {
  /** Lets go of the ranges that were not asked for since the last call. */
  turn(): void;
}

/** The file as hyparquet reads it. Ranges are kept from one stretch to the next: those of a group ask for the same ones. */
function bufferOf({ sizeBytes: byteLength, read }: RandomAccess): GroupBuffer {
  let before = new Map<string, Promise<ArrayBuffer>>();
  let now = new Map<string, Promise<ArrayBuffer>>();
  const slice = async (start: number, end: number): Promise<ArrayBuffer> => {
    const { buffer, byteOffset, length } = await read(start, end - start);
    const isWhole = byteOffset === 0 && length === buffer.byteLength;
    return (isWhole ? buffer : buffer.slice(byteOffset, byteOffset + length)) as ArrayBuffer;
  };
  return {
    byteLength,
    slice(start, end = byteLength) {
      const last = Math.min(end, byteLength);
      const first = Math.min(Math.max(0, start), last);
      const key = `${first}-${last}`;
      const bytes = now.get(key) ?? before.get(key) ?? slice(first, last);
      now.set(key, bytes);
      return bytes;
    },
    turn() {
      before = now;
      now = new Map();
    },
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Values as JSON would have them, so that rows are alike whatever they come from. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint")
    return Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return 2 * value.length;
  return Array.isArray(value) ? value.reduce<number>((sum, each) => sum + sizeOf(each), 16) : 16;
}

/**
 * The rows of a file, in order. What is held at once is one stretch of rows unpacked and one row group packed.
 * @throws FILE_DAMAGED, FILE_NOT_READABLE, PARQUET_GROUP_TOO_LARGE
 */
export async function* readParquet(
  source: RandomAccess,
  file: string,
  { select, onShare }: ParquetOptions = {},
): AsyncGenerator<ParquetRow> {
  const [{ parquetMetadataAsync, parquetReadObjects, parquetSchema }, { compressors }] =
    await Promise.all([import("hyparquet"), import("hyparquet-compressors")]);
  try {
    const buffer = bufferOf(source);
    const metadata = await parquetMetadataAsync(buffer);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const columns = [...(select?.(names) ?? names)];
    // A file whose columns are none of those looked for is read all the same, so that its rows can be told about.
    const read = columns.length === 0 ? names : columns;
    const groups = groupsOf(metadata, new Set(read));
    for (const group of groups) checkGroup(group, file);
    const total = Number(metadata.num_rows);
    for (const { start, rows, unpackedBytes, hasLists } of groups) {
      const stretch = hasLists
        ? rows
        : Math.ceil(rows / Math.ceil(unpackedBytes / stretchBytes + 1e-9));
      for (let from = start; from < start + rows; from += stretch) {
        const to = Math.min(from + stretch, start + rows);
        buffer.turn();
        const objects = await parquetReadObjects({
          file: buffer,
          metadata,
          columns: read,
          rowStart: from,
          rowEnd: to,
          compressors,
          useOffsetIndex: true,
          parsers: { stringFromBytes: (bytes) => bytes && decoder.decode(bytes) },
        });
        for (const [index, object] of objects.entries()) {
          const values = Object.entries(object).map(
            ([name, value]) => [name, plain(value)] as const,
          );
          const sizeBytes = values.reduce((sum, [, value]) => sum + sizeOf(value), 0);
          onShare?.((from + index + 1) / total);
          yield { row: Object.fromEntries(values), sizeBytes };
        }
      }
    }
  } catch (thrown) {
    if (thrown instanceof BridleError) throw thrown;
    const reason = thrown instanceof Error ? thrown.message.replace(/\.$/, "") : String(thrown);
    throw new BridleError(
      "FILE_DAMAGED",
      { where: file, format: "Parquet", reason },
      { cause: thrown },
    );
  }
}
