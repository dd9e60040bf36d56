// Ways to spoil a file: bits and bytes, cuts, repeated and moved parts, and length fields that claim too much.
// @ts-check

/** @typedef {{below: (n: number) => number, pick: <T>(from: readonly T[]) => T, chance: (p: number) => boolean}} Draw */

/** @param {() => number} nextUint32 @returns {Draw} */
export function createDraw(nextUint32) {
  const below = (/** @type {number} */ n) => Math.floor((nextUint32() / 2 ** 32) * n);
  return {
    below,
    pick: (from) => /** @type {any} */ (from[below(from.length)]),
    chance: (p) => nextUint32() / 2 ** 32 < p,
  };
}

/** Numbers at which length fields go wrong. */
const borders = [
  0n,
  1n,
  127n,
  128n,
  255n,
  256n,
  65_535n,
  65_536n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 60n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** @param {Draw} draw @returns {bigint} */
export const border = (draw) => draw.pick(borders);

/** @param {Uint8Array[]} parts */
const join = (...parts) => new Uint8Array(Buffer.concat(parts));

/** @type {((bytes: Uint8Array, draw: Draw) => Uint8Array)[]} */
const mutations = [
  function flipBits(bytes, draw) {
    const out = Uint8Array.from(bytes);
    for (let i = 0; i <= draw.below(8) && out.length > 0; i++) {
      const at = draw.below(out.length);
      out[at] = (out[at] ?? 0) ^ (1 << draw.below(8));
    }
    return out;
  },
  function setBytes(bytes, draw) {
    const out = Uint8Array.from(bytes);
    for (let i = 0; i <= draw.below(6) && out.length > 0; i++)
      out[draw.below(out.length)] = draw.pick([0, 1, 0x7f, 0x80, 0xff, draw.below(256)]);
    return out;
  },
  function cut(bytes, draw) {
    return bytes.subarray(0, draw.below(bytes.length + 1));
  },
  function cutStart(bytes, draw) {
    return bytes.subarray(draw.below(Math.min(bytes.length, 64) + 1));
  },
  function takeOut(bytes, draw) {
    const from = draw.below(bytes.length + 1);
    return join(bytes.subarray(0, from), bytes.subarray(from + 1 + draw.below(32)));
  },
  function repeat(bytes, draw) {
    const from = draw.below(bytes.length + 1);
    const part = bytes.subarray(from, from + 1 + draw.below(64));
    const times = draw.pick([1, 2, 3, 50, 500]);
    return join(
      bytes.subarray(0, from),
      ...new Array(times).fill(part),
      bytes.subarray(from + part.length),
    );
  },
  function move(bytes, draw) {
    const from = draw.below(bytes.length + 1);
    const part = bytes.subarray(from, from + 1 + draw.below(64));
    const rest = join(bytes.subarray(0, from), bytes.subarray(from + part.length));
    const to = draw.below(rest.length + 1);
    return join(rest.subarray(0, to), part, rest.subarray(to));
  },
  function append(bytes, draw) {
    return join(
      bytes,
      Uint8Array.from({ length: 1 + draw.below(40) }, () => draw.below(256)),
    );
  },
  function blowUp(bytes, draw) {
    // Two, four or eight bytes anywhere become a number that claims too much, in either byte order.
    const out = Uint8Array.from(bytes);
    const width = draw.pick([2, 4, 8]);
    if (out.length < width) return out;
    const field = new Uint8Array(8);
    new DataView(field.buffer).setBigUint64(0, BigInt.asUintN(64, border(draw)), true);
    const part = field.subarray(0, width);
    out.set(draw.chance(0.8) ? part : part.slice().reverse(), draw.below(out.length - width + 1));
    return out;
  },
];

/** One to three spoilings of the bytes. @param {Uint8Array} bytes @param {Draw} draw */
export function mutateBytes(bytes, draw) {
  let out = bytes;
  for (let i = 0; i <= draw.below(3); i++) out = draw.pick(mutations)(out, draw);
  return out;
}

/** Values that JSON readers stumble over. */
const oddValues = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  1e308,
  -0,
  2 ** 31,
  2 ** 53,
  2 ** 60,
  1e15,
  "",
  "\u0000",
  "constructor",
  "__proto__",
  "\ud800",
  "x".repeat(2000),
  [],
  {},
  [[]],
  [null],
  { type: "Precompiled" },
];

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Every place of a JSON value below itself: what holds it and under which key. @param {any} value @returns {[any, string | number][]} */
function placesOf(value) {
  /** @type {[any, string | number][]} */
  const places = [];
  /** @type {any[]} */
  const open = [value];
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    const keys = Array.isArray(holder) ? holder.keys() : Object.keys(holder);
    for (const key of keys) {
      places.push([holder, key]);
      if (typeof holder[key] === "object" && holder[key] !== null) open.push(holder[key]);
    }
  }
  return places;
}

/** Stands for a value wrapped in so many lists or objects; the text is written for it, as no writer nests so deep. */
const deep = (/** @type {Draw} */ draw) =>
  `deep ${draw.pick(["list", "object"])} ${draw.pick([1, 40, 3000, 60_000])}`;

/** Most of them that are written out: a list of thousands would be longer than a string can be. */
const mostDeep = 4;

/** @param {string} json */
function writeDeep(json) {
  let written = 0;
  return json.replaceAll(/"deep (list|object) (\d+)"/g, (_, kind, depth) => {
    if (++written > mostDeep) return "[]";
    return kind === "list"
      ? "[".repeat(Number(depth)) + "]".repeat(Number(depth))
      : `${'{"normalizers":'.repeat(Number(depth))}1${"}".repeat(Number(depth))}`;
  });
}

/** One to three values of a JSON document become odd, nested, doubled, renamed or are gone. @param {unknown} json @param {Draw} draw */
export function mutateJson(json, draw) {
  const out = structuredClone(json);
  for (let i = 0; i <= draw.below(3); i++) {
    const places = placesOf(out);
    if (places.length === 0) return draw.pick(oddValues);
    const [holder, key] = draw.pick(places);
    const value = holder[key];
    const kind = draw.below(8);
    if (kind < 3) holder[key] = structuredClone(draw.pick(oddValues));
    else if (kind === 3 && Array.isArray(holder)) holder.splice(Number(key), 1);
    else if (kind === 3) delete holder[key];
    else if (kind === 4) {
      const [other, name] = draw.pick(places);
      holder[key] = structuredClone(other[name]);
    } else if (kind === 5 && Array.isArray(value))
      holder[key] = Array.from({ length: draw.pick([2, 100, 3000]) }, () => value[0] ?? 1);
    else if (kind === 5 && typeof value === "number") holder[key] = Number(border(draw));
    else if (kind === 6) holder[key] = deep(draw);
    else if (isRecord(holder))
      Object.defineProperty(holder, draw.pick(["constructor", "__proto__", "", "x"]), {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    else holder[key] = draw.pick(oddValues);
  }
  return out;
}

/** The text of a JSON document, spoiled as a document or as bytes. @param {unknown} json @param {Draw} draw @returns {Uint8Array} */
export function mutateJsonText(json, draw) {
  const text = JSON.stringify(draw.chance(0.75) ? mutateJson(json, draw) : json) ?? "";
  const bytes = new Uint8Array(Buffer.from(writeDeep(text)));
  return draw.chance(0.35) ? mutateBytes(bytes, draw) : bytes;
}
