// The protobuf wire format: what is written is what the specification says, and is read again.
import { describe, expect, it } from "vitest";
import { texts, visit, Writer } from "./protobuf.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a writer", () => {
  // Source: protobuf.dev, "Encoding".
  it.each<[number | bigint, string]>([
    [0, "0800"],
    [1, "0801"],
    [127, "087f"],
    [128, "088001"],
    [150, "089601"],
    [300, "08ac02"],
    [2 ** 31 - 1, "08ffffffff07"],
    [2 ** 31, "088080808008"],
    [2 ** 40, "08808080808020"],
    [-1, "08ffffffffffffffffff01"],
    [2n ** 63n, "0880808080808080808001"],
  ])("writes %s as a varint", (value, wanted) =>
    expect(hex(new Writer().int(1, value).finish())).toBe(wanted),
  );

  it("refuses a number that is no whole one", () =>
    expect(() => new Writer().int(1, 1.5)).toThrow());

  it("keeps the order of short and long parts, and of messages in messages", () => {
    const long = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
    const message = new Writer()
      .string(2, "before")
      .bytes(3, long)
      .message(4, (inner) =>
        inner
          .int(1, 7)
          .bytes(3, long)
          .message(5, (w) => w.float(6, 0.5)),
      )
      .string(7, "after")
      .finish();
    const found: unknown[] = [];
    const note = (field: number) => ({ bytes: (b: Uint8Array) => found.push([field, hex(b)]) });
    visit(message, {
      2: note(2),
      3: note(3),
      4: {
        bytes: (inner) =>
          visit(inner, {
            1: { value: (v) => found.push(v) },
            3: note(3),
            5: { bytes: (b) => visit(b, { 6: note(6) }) },
          }),
      },
      7: note(7),
    });
    const text = (word: string) => hex(Buffer.from(word));
    expect(found).toEqual([
      [2, text("before")],
      [3, hex(long)],
      7,
      [3, hex(long)],
      [6, "0000003f"],
      [7, text("after")],
    ]);
  });

  it("answers a message that what is written later does not change", () => {
    const writer = new Writer().string(1, "a");
    const first = writer.finish();
    writer.string(1, "b");
    expect(hex(first)).toBe("0a0161");
    expect(hex(writer.finish())).toBe("0a01610a0162");
  });
});

describe("string fields that are decoded together", () => {
  const places = (parts: readonly Uint8Array[]) => {
    const starts: number[] = [];
    const ends: number[] = [];
    const bytes: number[] = [];
    for (const part of parts) {
      // What stands between them in a message is no text.
      bytes.push(0xff);
      starts.push(bytes.length);
      bytes.push(...part);
      ends.push(bytes.length);
    }
    return [Uint8Array.from(bytes), starts, ends] as const;
  };

  it("are what each is by itself", () => {
    const wanted = ["a", "", "\u2581the", "\ufeff", "\u{1f600}x", "\u0000", "é", "中文"];
    expect(texts(...places(wanted.map((word) => Buffer.from(word))))).toEqual(wanted);
  });

  it.each<[string, number[][]]>([
    ["a character cut between two", [[0x61, 0xc3], [0xa9]]],
    ["one that ends too early", [[0xe2, 0x96], [0x61]]],
    ["a byte that none has", [[0x61], [0xff]]],
    ["the last one that ends too early", [[0x61], [0xf0, 0x9f, 0x98]]],
  ])("of which one has %s are refused", (_, parts) =>
    expect(() => texts(...places(parts.map((part) => Uint8Array.from(part))))).toThrow(/not UTF-8/),
  );
});
