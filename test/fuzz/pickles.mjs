// Writes pickles, zips and files of torch.save's older format opcode by opcode, so that they can be spoiled by opcodes.
// @ts-check
import { border } from "./mutations.mjs";

/** @typedef {import("./mutations.mjs").Draw} Draw */
/** @typedef {Uint8Array[]} Pickle one entry an opcode with its argument */

/** @param {(string | number[])[]} parts */
const op = (...parts) =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part)] : part)),
  );

/** @param {number} n */
const uint32 = (n) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];
/** @param {string} value */
const text = (value) => op("X", uint32(Buffer.byteLength(value)), value);
/** @param {number} n */
const whole = (n) => (n < 256 ? op("K", [n]) : op("J", uint32(n)));
/** @param {string} module @param {string} name */
const global = (module, name) => op("c", `${module}\n${name}\n`);
/** @param {Pickle} items */
const tuple = (...items) => [op("("), ...items, op("t")];
const put = (/** @type {number} */ n) => op("q", [n]);

/**
 * @typedef {{name: string, type: string, key: string, elements: number, offset: number, shape: number[], strides: number[]}} Stored
 */

/** Tensors of a state dict: a matrix, one that shares its storage, a transposed one, a half, and an empty one. @type {Stored[]} */
export const stored = [
  {
    name: "model.shared.weight",
    type: "FloatStorage",
    key: "0",
    elements: 12,
    offset: 0,
    shape: [4, 3],
    strides: [3, 1],
  },
  {
    name: "lm_head.weight",
    type: "FloatStorage",
    key: "0",
    elements: 12,
    offset: 0,
    shape: [4, 3],
    strides: [3, 1],
  },
  {
    name: "fc1.weight",
    type: "FloatStorage",
    key: "1",
    elements: 6,
    offset: 0,
    shape: [3, 2],
    strides: [1, 3],
  },
  {
    name: "fc1.bias",
    type: "HalfStorage",
    key: "2",
    elements: 5,
    offset: 2,
    shape: [3],
    strides: [1],
  },
  {
    name: "scale",
    type: "BFloat16Storage",
    key: "3",
    elements: 1,
    offset: 0,
    shape: [],
    strides: [],
  },
  {
    name: "none",
    type: "DoubleStorage",
    key: "4",
    elements: 0,
    offset: 0,
    shape: [0, 7],
    strides: [7, 1],
  },
];

/** @param {Stored} s @param {boolean} legacy @returns {Pickle} */
function tensor({ type, key, elements, offset, shape, strides }, legacy) {
  const view = legacy ? [op("N")] : [];
  return [
    global("torch._utils", "_rebuild_tensor_v2"),
    op("("),
    ...tuple(
      text("storage"),
      global("torch", type),
      text(key),
      text("cpu"),
      whole(elements),
      ...view,
    ),
    op("Q"),
    whole(offset),
    ...tuple(...shape.map(whole)),
    ...tuple(...strides.map(whole)),
    op([0x89]),
    global("collections", "OrderedDict"),
    op(")"),
    op("R"),
    op("t"),
    op("R"),
    put(key.charCodeAt(0)),
  ];
}

/** A state dict as torch.save pickles it. @param {boolean} legacy @returns {Pickle} */
export function stateDict(legacy) {
  return [
    op([0x80, 2]),
    global("collections", "OrderedDict"),
    put(0),
    op(")"),
    op("R"),
    put(1),
    op("("),
    ...stored.flatMap((s) => [text(s.name), ...tensor(s, legacy)]),
    op("u"),
    op("}"),
    text("_metadata"),
    op("h", [0]),
    op(")"),
    op("R"),
    op("s"),
    op("b"),
    op("."),
  ];
}

/** A pickle of one value. @param {Uint8Array[]} value @returns {Pickle} */
const pickle = (...value) => [op([0x80, 2]), ...value, op(".")];

/** The pickles of the older format, but for the state dict that stands fourth. */
export const legacyPickles = {
  before: [
    pickle(op([0x8a, 10], [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19])),
    pickle(op("M", [0xe9, 3])),
    pickle(
      op("}"),
      op("("),
      text("little_endian"),
      op([0x88]),
      text("protocol_version"),
      op("M", [0xe9, 3]),
      op("u"),
    ),
  ],
  after: [pickle(op("]"), op("("), ...["0", "1", "2", "3", "4"].map(text), op("e"))],
};

/** Opcodes that hostile and odd pickles are made of. @type {(() => Uint8Array)[]} */
const strangers = [
  () => global("os", "system"),
  () => global("builtins", "eval"),
  () => global("torch.storage", "_load_from_bytes"),
  () => global("torch", "LongStorage"),
  () => global("torch._utils", "_rebuild_parameter"),
  () => op([0x8c, 2], "os"),
  () => op([0x93]),
  () => op("R"),
  () => op("b"),
  () => op("Q"),
  () => op("("),
  () => op("t"),
  () => op("l"),
  () => op("d"),
  () => op("}"),
  () => op("]"),
  () => op(")"),
  () => op("u"),
  () => op("e"),
  () => op("a"),
  () => op("s"),
  () => op("2"),
  () => op("0"),
  () => op("1"),
  () => op("N"),
  () => op([0x85]),
  () => op([0x86]),
  () => op([0x87]),
  () => op([0x94]),
  () => op("h", [1]),
  () => op("j", uint32(0xffffffff)),
  () => op("r", uint32(0xffffffff)),
  () => op("X", uint32(0xffffffff)),
  () => op("T", uint32(0x7fffffff)),
  () => op([0x8a, 255]),
  () => op("G", [0x7f, 0xf0, 0, 0, 0, 0, 0, 0]),
  () => op("J", uint32(0x80000000)),
  () => op([0x8a, 8], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
  () => op("i", "os\nsystem\n"),
  () => op("o"),
  () => op([0x92]),
  () => op([0x95], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  () => op("."),
];

/** @param {Draw} draw a number as the opcode that holds it, mostly too large */
function hugeNumber(draw) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, border(draw)), true);
  return op([0x8a, 9], [...bytes], [0]);
}

/** Opcodes taken out, doubled, moved, replaced, nested deep or made to claim too much. @param {Pickle} ops @param {Draw} draw @returns {Pickle} */
export function mutateOpcodes(ops, draw) {
  const out = [...ops];
  for (let i = 0; i <= draw.below(4); i++) {
    const at = draw.below(out.length + 1);
    const kind = draw.below(9);
    if (kind === 0) out.splice(at, 1 + draw.below(4));
    else if (kind === 1) out.splice(at, 0, ...out.slice(at, at + 1 + draw.below(12)));
    else if (kind === 2)
      out.splice(at, 0, ...out.splice(draw.below(out.length + 1), 1 + draw.below(6)));
    else if (kind === 3) out.splice(at, 1, draw.pick(strangers)());
    else if (kind === 4) out.splice(at, 0, draw.pick(strangers)());
    else if (kind === 5) {
      const numbers = [...out.keys()].filter((n) => out[n]?.[0] === 0x4b);
      if (numbers.length > 0) out[draw.pick(numbers)] = hugeNumber(draw);
    } else if (kind === 6) {
      const repeated = draw.pick(["(", "]", "}", ")", "2", "N", "(]", "]]", "(2", "}}"]);
      out.splice(at, 0, op(repeated.repeat(draw.pick([3, 100, 5000]))));
    } else if (kind === 7) {
      // Each level wraps the one before: deep nesting.
      const depth = draw.pick([10, 3000]);
      out.splice(
        at,
        0,
        op(
          String.fromCharCode(0x85).repeat(0),
          Array.from({ length: depth }, () => 0x85),
        ),
      );
    } else if (out.length > 0) {
      const n = draw.below(out.length);
      const changed = Uint8Array.from(out[n] ?? []);
      if (changed.length > 0) changed[draw.below(changed.length)] = draw.below(256);
      out[n] = changed;
    }
  }
  return out;
}

/** @param {Pickle} ops */
export const bytesOf = (ops) => new Uint8Array(Buffer.concat(ops));

const widths = /** @type {Record<string, number>} */ ({
  FloatStorage: 4,
  HalfStorage: 2,
  BFloat16Storage: 2,
  DoubleStorage: 8,
});

/** The storages: key, number of elements, bytes that are finite numbers. */
export const storages = [...new Map(stored.map((s) => [s.key, s])).values()].map(
  ({ key, type, elements }) => ({
    key,
    elements,
    bytes: Uint8Array.from({ length: elements * (widths[type] ?? 0) }, (_, i) => (i * 7) % 60),
  }),
);

/** A file of the older format. @param {Uint8Array} state @param {Uint8Array} keys */
export function legacyFile(state, keys) {
  const counts = storages.flatMap(({ elements, bytes }) => {
    const count = new Uint8Array(8);
    new DataView(count.buffer).setBigInt64(0, BigInt(elements), true);
    return [count, bytes];
  });
  return new Uint8Array(
    Buffer.concat([...legacyPickles.before.map(bytesOf), state, keys, ...counts]),
  );
}

/**
 * A zip that stores its files uncompressed, as torch.save's.
 * @param {[name: string, content: Uint8Array][]} files
 */
export function zipFile(files) {
  const locals = [];
  const entries = [];
  let offset = 0;
  for (const [name, content] of files) {
    const encoded = Buffer.from(name);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt32LE(content.length, 14);
    shared.writeUInt32LE(content.length, 18);
    shared.writeUInt16LE(encoded.length, 22);
    locals.push(Buffer.from("PK\u0003\u0004"), shared, encoded, content);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    entries.push(Buffer.from("PK\u0001\u0002"), Buffer.from([20, 0]), shared, tail, encoded);
    offset += 30 + encoded.length + content.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return new Uint8Array(Buffer.concat([...locals, directory, Buffer.from("PK\u0005\u0006"), end]));
}

/** The files of torch.save's zip. @param {Uint8Array} pickled @returns {[string, Uint8Array][]} */
export const torchEntries = (pickled) => [
  ["archive/data.pkl", pickled],
  ["archive/byteorder", op("little")],
  ...storages.map(
    ({ key, bytes }) => /** @type {[string, Uint8Array]} */ ([`archive/data/${key}`, bytes]),
  ),
  ["archive/version", op("3\n")],
];
