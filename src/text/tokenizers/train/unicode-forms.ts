// Compatibility forms and simple case folding as Unicode 17 has them, whatever version the running Node knows.

/**
 * Ranges of the code points that a normalization form or case folding changes, without those that Unicode 17 has not
 * assigned: each a gap since the last one's end and, after a dot, its length less one, in base 36. A newer Node knows
 * more characters; the table must not grow with it. Source: the Unicode Character Database, version 17.
 */
const ranges =
  "1t.mt 4.5 5.6 2 2.j 2.az 3.11 1d 4b.4x gm.1i 30.1 g.1 2 2c 3 z.2 3 6i 3.1 g.1 1j 1i.2 3g 3c 7.1 2.1 3j.2 3y.4 2d 3k " +
  "15.1 1b.1j a.s a.w a.s 31.4f 2 6 1b is.2d 3.5 1e1.1p 8t.9 7.16 3.2 31.dl 3.5 3.11 3.5 3.7 2 2 2 2.u 3.1g 2.e 2.d 3.5 " +
  "2.i 3.2 2.8 2.2n h.1 3.q 2.c c 2g.3t h.b4 8m.1a4 84.6q 3h 8g.2c d.5x 17.1m i.20 7.2s 1e.2l 4.d 2p.u 2.db mkh.2l 3p.56 " +
  "l.8 o3.d 7.27 1t.8mb 6l9.a5 3.2x 13.6 d.4 6.p 2.4 2 2.1 2.1 2.ht 15.15 n.y 2.i 2.3 5.4 2.3q 5.59 4.5 3.5 3.5 3.2 4.6 " +
  "2.6 sy.13 3t.z 4d.a 2.e 2.6 2.1 1g.r bh.4 2.15 2.8 xy.1e 4e.l mt.h 3n.1 f0.1 1j.2 9 3 1g 2.1 6r.3 70.1 kl.v 3d e7d.7 " +
  "2f4.2 5y.v 1t.o ila.z v9.2q g0.2c 2.1y 2.1 3 3.1 3.3 2.b 2 2.6 2.1s 2.3 3.7 2.6 2.r 2.3 2.4 2 4.6 2.9f 3.83 3.1d " +
  "1m9.1p 1oz.x yn.3 2.q 2.1 2 3 2.9 2.3 2 2 7 5 2 2 2.2 2.1 2 3 2 2 2 2 2.1 2 3.3 2.6 2.3 2.3 2 2.9 2.g 6.2 2.4 2.g " +
  "g5.40 34.2 e.17 5.8 8.1 1wf.9 1ds7.f1";

/** Every code point that may have another form, ascending. */
export function* changingCodePoints(): Generator<number> {
  let end = 0;
  for (const range of ranges.split(" ")) {
    const [gap = "", more = "0"] = range.split(".");
    const start = end + Number.parseInt(gap, 36);
    end = start + Number.parseInt(more, 36);
    for (let code = start; code <= end; code++) yield code;
  }
}

/** Letters of Unicode 16 and 17 that are composed of others: each with its parts. */
const recentComposed = new Map(
  Object.entries({
    "\u{105c9}": "\u{105d2}\u0307",
    "\u{105e4}": "\u{105da}\u0307",
    "\u{11383}": "\u{11382}\u{113c9}",
    "\u{11385}": "\u{11384}\u{113bb}",
    "\u{1138e}": "\u{1138b}\u{113c2}",
    "\u{11391}": "\u{11390}\u{113c9}",
    "\u{113c5}": "\u{113c2}\u{113c2}",
    "\u{113c7}": "\u{113c2}\u{113b8}",
    "\u{113c8}": "\u{113c2}\u{113c9}",
    "\u{16121}": "\u{1611e}\u{1611e}",
    "\u{16122}": "\u{1611e}\u{16129}",
    "\u{16123}": "\u{1611e}\u{1611f}",
    "\u{16124}": "\u{16129}\u{1611f}",
    "\u{16125}": "\u{1611e}\u{16120}",
    "\u{16126}": "\u{1611e}\u{1611e}\u{1611f}",
    "\u{16127}": "\u{1611e}\u{16129}\u{1611f}",
    "\u{16128}": "\u{1611e}\u{1611e}\u{16120}",
    "\u{16d68}": "\u{16d67}\u{16d67}",
    "\u{16d69}": "\u{16d63}\u{16d67}",
    "\u{16d6a}": "\u{16d63}\u{16d67}\u{16d67}",
  }),
);

/** Characters of Unicode 16 and 17 that stand for plainer ones. */
const recentCompatible = new Map<string, string>([["\ua7f1", "S"]]);
for (let i = 0; i < 26; i++) {
  recentCompatible.set(String.fromCodePoint(0x1ccd6 + i), String.fromCharCode(0x41 + i));
}
for (let i = 0; i < 10; i++) {
  recentCompatible.set(String.fromCodePoint(0x1ccf0 + i), String.fromCharCode(0x30 + i));
}

const recentFromParts = new Map([...recentComposed].map(([whole, parts]) => [parts, whole]));

/** NFKD of one character. */
export function decompose(character: string): string {
  return (
    recentComposed.get(character) ?? recentCompatible.get(character) ?? character.normalize("NFKD")
  );
}

/** NFKC of one character, or of the NFKD form of one. */
export function compose(characters: string): string {
  return (
    recentFromParts.get(characters) ??
    recentCompatible.get(characters) ??
    (recentComposed.has(characters) ? characters : characters.normalize("NFKC"))
  );
}

/** Folded otherwise than to their lower case: single letters, and the Cherokee ones, which fold to upper case. */
const foldings = new Map<number, number>([
  [0x345, 0x3b9],
  [0x3c2, 0x3c3],
  [0x1c80, 0x432],
  [0x1c81, 0x434],
  [0x1c82, 0x43e],
  [0x1c83, 0x441],
  [0x1c84, 0x442],
  [0x1c85, 0x442],
  [0x1c86, 0x44a],
  [0x1c87, 0x463],
  [0x1c88, 0xa64b],
  // Pairs of Unicode 16 and 17.
  [0x1c89, 0x1c8a],
  [0xa7cb, 0x264],
  [0xa7cc, 0xa7cd],
  [0xa7ce, 0xa7cf],
  [0xa7d2, 0xa7d3],
  [0xa7d4, 0xa7d5],
  [0xa7da, 0xa7db],
  [0xa7dc, 0x19b],
]);
function fillFoldings(first: number, last: number, to: (code: number) => number): void {
  for (let code = first; code <= last; code++) foldings.set(code, to(code));
}
fillFoldings(0x13a0, 0x13f5, (code) => code);
fillFoldings(0x13f8, 0x13fd, (code) => code - 8);
fillFoldings(0xab70, 0xabbf, (code) => code - 0xab70 + 0x13a0);
fillFoldings(0x10d50, 0x10d65, (code) => code + 0x20);
fillFoldings(0x16ea0, 0x16eb8, (code) => code + 0x1b);

/** Simple case folding of one character: one character again. */
export function fold(character: string): string {
  const code = foldings.get(character.codePointAt(0) as number);
  if (code !== undefined) return String.fromCodePoint(code);
  const lower = character.toLowerCase();
  return [...lower].length === 1 ? lower : character;
}
