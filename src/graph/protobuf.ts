// The protobuf wire format: just enough to write and read the messages Bridle knows.
// Source: protobuf.dev, "Encoding".
import { BridleError } from "../errors/error.js";

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const utf8 = new TextEncoder();
// A byte order mark is a character like any other here: a vocabulary may have it as a piece.
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Longer parts are not copied until the message is whole. */
const longPart = 1024;

/** Appends protobuf fields; a nested message is written by a writer of its own. */
export class Writer {
  /** What comes before the part that is being filled. */
  private readonly parts: Uint8Array[] = [];
  private partsLength = 0;
  private filled = new Uint8Array(64);
  private length = 0;

  /** Makes room for so many bytes in the part that is being filled. */
  private reserve(size: number): void {
    if (this.length + size <= this.filled.length) return;
    const larger = new Uint8Array(2 * (this.length + size));
    larger.set(this.filled);
    this.filled = larger;
  }

  private raw(bytes: Uint8Array): this {
    if (bytes.length <= longPart) {
      this.reserve(bytes.length);
      this.filled.set(bytes, this.length);
      this.length += bytes.length;
      return this;
    }
    this.parts.push(this.filled.slice(0, this.length), bytes);
    this.partsLength += this.length + bytes.length;
    this.length = 0;
    return this;
  }

  private varint(value: number | bigint): this {
    this.reserve(10);
    const { filled } = this;
    let small: number;
    if (typeof value === "number" && value < 2 ** 31 && value >>> 0 === value) small = value;
    else {
      let rest = BigInt.asUintN(64, BigInt(value));
      while (rest > 127n) {
        filled[this.length++] = Number(rest & 127n) | 128;
        rest >>= 7n;
      }
      small = Number(rest);
    }
    while (small > 127) {
      filled[this.length++] = (small & 127) | 128;
      small >>>= 7;
    }
    filled[this.length++] = small;
    return this;
  }

  private tag(field: number, type: number): this {
    return this.varint((field << 3) | type);
  }

  int(field: number, value: number | bigint): this {
    return this.tag(field, wire.varint).varint(value);
  }

  float(field: number, value: number): this {
    return this.tag(field, wire.fixed32).raw(new Uint8Array(Float32Array.of(value).buffer));
  }

  bytes(field: number, bytes: Uint8Array): this {
    return this.tag(field, wire.bytes).varint(bytes.length).raw(bytes);
  }

  string(field: number, text: string): this {
    return this.bytes(field, utf8.encode(text));
  }

  message(field: number, write: (inner: Writer) => void): this {
    const inner = new Writer();
    write(inner);
    return this.bytes(field, inner.whole());
  }

  /** The message so far; a short one in the writer's own memory. */
  private whole(): Uint8Array {
    if (this.parts.length === 0) return this.filled.subarray(0, this.length);
    const out = new Uint8Array(this.partsLength + this.length);
    let at = 0;
    for (const part of this.parts) {
      out.set(part, at);
      at += part.length;
    }
    out.set(this.filled.subarray(0, this.length), at);
    return out;
  }

  finish(): Uint8Array {
    return this.parts.length === 0 ? this.whole().slice() : this.whole();
  }
}

export interface FieldHandler {
  readonly bytes?: (bytes: Uint8Array) => void;
  /** In place of `bytes`: where they begin and end in what is read, which makes nothing. */
  readonly place?: (start: number, end: number) => void;
  readonly value?: (value: number | bigint) => void;
}

/** Reads a message from its first byte on. A vocabulary has hundreds of thousands of fields: nothing is made for each. */
class Reader {
  at: number;
  private readonly bytes: Uint8Array;
  private readonly start: number;
  private readonly end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.start = start;
    this.end = end;
  }

  corrupt(reason: string): BridleError {
    return new BridleError("PROTOBUF_CORRUPT", { reason, offset: this.at - this.start });
  }

  private byte(): number {
    if (this.at >= this.end) {
      this.at += 1;
      throw this.corrupt("a number is cut off");
    }
    return this.bytes[this.at++] as number;
  }

  varint(): number | bigint {
    let small = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      small |= (byte & 127) << shift;
      if (byte < 128) return small;
    }
    let value = BigInt(small);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw this.corrupt("a number is longer than ten bytes");
  }

  skip(length: number): void {
    if (this.at + length > this.end) throw this.corrupt("a field is cut off");
    this.at += length;
  }
}

/**
 * Calls the handler of each field of one message, in the order they stand in; one without a handler, or of another wire type,
 * is skipped as protobuf readers do.
 * @param start where the message begins in the bytes; @param end where it ends
 * @throws PROTOBUF_CORRUPT where a field is cut off or of a wire type that is no longer used.
 */
export function visit(
  bytes: Uint8Array,
  handlers: Readonly<Record<number, FieldHandler>>,
  start = 0,
  end = bytes.length,
): void {
  const reader = new Reader(bytes, start, end);
  while (reader.at < end) {
    const tag = Number(reader.varint());
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    const handler = handlers[field];
    if (type === wire.varint) {
      const value = reader.varint();
      handler?.value?.(value);
      continue;
    }
    let length: number;
    if (type === wire.bytes) length = Number(reader.varint());
    else if (type === wire.fixed32) length = 4;
    else if (type === wire.fixed64) length = 8;
    else throw reader.corrupt(`field ${field} has the wire type ${type}`);
    const from = reader.at;
    reader.skip(length);
    if (handler?.place !== undefined) handler.place(from, from + length);
    else handler?.bytes?.(bytes.subarray(from, from + length));
  }
}

/** A string field. @throws PROTOBUF_CORRUPT when it is not UTF-8. */
export function text(bytes: Uint8Array): string {
  try {
    return fromUtf8.decode(bytes);
  } catch (cause) {
    throw new BridleError(
      "PROTOBUF_CORRUPT",
      { reason: "a string is not UTF-8", offset: 0 },
      { cause },
    );
  }
}

/**
 * String fields by their places in a message. They are decoded together: a decoder that is called for each of a hundred thousand takes
 * longer than all else that is read of them.
 * @throws PROTOBUF_CORRUPT when one is not UTF-8
 */
export function texts(
  bytes: Uint8Array,
  starts: readonly number[],
  ends: readonly number[],
): string[] {
  let total = 0;
  for (let i = 0; i < starts.length; i++) total += (ends[i] as number) - (starts[i] as number);
  const joined = new Uint8Array(total);
  /** UTF-16 units up to the end of each. */
  const borders = new Uint32Array(starts.length);
  let [at, units] = [0, 0];
  for (let i = 0; i < starts.length; i++) {
    const end = ends[i] as number;
    for (let from = starts[i] as number; from < end; from++) {
      const byte = bytes[from] as number;
      joined[at++] = byte;
      // What continues a character is part of one unit; one of four bytes has two.
      if ((byte & 0xc0) !== 0x80) units += byte < 0xf0 ? 1 : 2;
    }
    borders[i] = units;
  }
  const together = text(joined);
  const found: string[] = [];
  for (let i = 0; i < starts.length; i++) {
    // Characters of two strings that are cut between them would read as one here.
    const first = bytes[starts[i] as number] as number;
    if (starts[i] !== ends[i] && (first & 0xc0) === 0x80) text(bytes.subarray(starts[i], ends[i]));
    found.push(together.slice(borders[i - 1] ?? 0, borders[i]));
  }
  return found;
}

const floatBytes = new Uint8Array(4);
const floatView = new DataView(floatBytes.buffer);

/** A float field. @throws PROTOBUF_CORRUPT when it is not four bytes. */
export function float(bytes: Uint8Array): number {
  if (bytes.length !== 4) {
    throw new BridleError("PROTOBUF_CORRUPT", {
      reason: `a float has ${bytes.length} bytes`,
      offset: 0,
    });
  }
  for (let i = 0; i < 4; i++) floatBytes[i] = bytes[3 - i] as number;
  return floatView.getFloat32(0);
}

/** A signed whole number. */
export function signed(value: number | bigint): number {
  return typeof value === "number" ? value : Number(BigInt.asIntN(64, value));
}
