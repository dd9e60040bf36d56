// The protobuf wire format: just enough to write and read the messages Bridle knows.
// Source: protobuf.dev, "Encoding".
import { BridleError } from "../errors/error.js";

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const utf8 = new TextEncoder();
// A byte order mark is a character like any other here: a vocabulary may have it as a piece.
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Appends protobuf fields; a nested message is written by a writer of its own. */
export class Writer {
  private readonly parts: Uint8Array[] = [];
  private length = 0;

  private raw(bytes: Uint8Array): this {
    this.parts.push(bytes);
    this.length += bytes.length;
    return this;
  }

  private varint(value: number | bigint): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    while (rest > 127n) {
      bytes.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    return this.raw(Uint8Array.from(bytes));
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
    return this.bytes(field, inner.finish());
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

export interface FieldHandler {
  readonly bytes?: (bytes: Uint8Array) => void;
  readonly value?: (value: number | bigint) => void;
}

/** Reads a message from its first byte on. A vocabulary has hundreds of thousands of fields: nothing is made for each. */
class Reader {
  private at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  corrupt(reason: string): BridleError {
    return new BridleError("PROTOBUF_CORRUPT", { reason, offset: this.at });
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw this.corrupt("a number is cut off");
    return byte;
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

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw this.corrupt("a field is cut off");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/**
 * Calls the handler of each field of one message, in the order they stand in; one without a handler, or of another wire type,
 * is skipped as protobuf readers do.
 * @throws PROTOBUF_CORRUPT where a field is cut off or of a wire type that is no longer used.
 */
export function visit(bytes: Uint8Array, handlers: Readonly<Record<number, FieldHandler>>): void {
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
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
    const part = reader.take(length);
    handler?.bytes?.(part);
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
