// The predefined East Asian encodings of PDF fonts, made on the spot, so that files that only name them can be read.
import iconv from "iconv-lite";

/** How the codes of a family of predefined CMaps are written, and the charset behind them. */
interface Family {
  readonly charset: string;
  /** Ranges of codes of one byte, then of two. */
  readonly one: readonly (readonly [number, number])[];
  readonly two: readonly (readonly [number, number])[];
}

const shiftJis: Family = {
  charset: "shift_jis",
  one: [
    [0x00, 0x80],
    [0xa0, 0xdf],
  ],
  two: [
    [0x8140, 0x9ffc],
    [0xe040, 0xfcfc],
  ],
};
const eucJp: Family = {
  charset: "euc-jp",
  one: [[0x00, 0x80]],
  two: [
    [0x8ea0, 0x8edf],
    [0xa1a1, 0xfefe],
  ],
};
const gbk: Family = { charset: "gb18030", one: [[0x00, 0x80]], two: [[0x8140, 0xfefe]] };
const big5: Family = { charset: "big5", one: [[0x00, 0x80]], two: [[0x8740, 0xfefe]] };
const uhc: Family = { charset: "euc-kr", one: [[0x00, 0x80]], two: [[0x8141, 0xfefe]] };
const utf16: Family = { charset: "utf-16be", one: [], two: [[0x0000, 0xffff]] };

const families: readonly (readonly [RegExp, Family])[] = [
  [
    /^Uni(?:JIS|GB|CNS|KS|JISX0213|JIS2004|JISPro|JISX02132004)-(?:UCS2|UTF16)(?:-HW)?-[HV]$/,
    utf16,
  ],
  [/^(?:83pv|90ms|90msp|90pv|Add|Ext)-RKSJ-[HV]$/, shiftJis],
  [/^EUC-[HV]$/, eucJp],
  [/^(?:GB|GBpc|GBK|GBKp)-EUC-[HV]$|^GBK2K-[HV]$/, gbk],
  [/^(?:B5pc|HKscs-B5|ETen-B5|ETenms-B5)-[HV]$/, big5],
  [/^(?:KSC|KSCms|KSCpc)-(?:EUC|UHC)(?:-HW)?-[HV]$/, uhc],
];

const hex = (code: number, digits: number): string =>
  `<${code.toString(16).padStart(digits, "0")}>`;

/** One line for each code of a charset: its bytes, then the UTF-16 unit it stands for. */
function listCodes({ charset, one, two }: Family): string[] {
  const lines: string[] = [];
  const add = (code: number, digits: number, bytes: number[]): void => {
    const text = iconv.decode(Buffer.from(bytes), charset);
    const unit = text.charCodeAt(0);
    if (text.length === 1 && unit !== 0xfffd) lines.push(`${hex(code, digits)} ${unit}`);
  };
  for (const [low, high] of one) for (let code = low; code <= high; code++) add(code, 2, [code]);
  for (const [low, high] of two) {
    for (let lead = low >> 8; lead <= high >> 8; lead++) {
      for (let trail = low & 0xff; trail <= (high & 0xff); trail++) {
        add((lead << 8) | trail, 4, [lead, trail]);
      }
    }
  }
  return lines;
}

function listRanges({ one, two }: Family): string[] {
  const rows = [
    ...one.map(([low, high]) => `${hex(low, 2)} ${hex(high, 2)}`),
    ...two.map(([low, high]) => `${hex(low, 4)} ${hex(high, 4)}`),
  ];
  return [`${rows.length} begincodespacerange`, ...rows, "endcodespacerange"];
}

/** The CMap from a font's codes to "characters", which here are UTF-16 units in place of Adobe's glyph numbers. */
function writeEncoding(name: string, family: Family): string {
  const codes =
    family === utf16
      ? ["1 begincidrange", "<0000> <ffff> 0", "endcidrange"]
      : (() => {
          const lines = listCodes(family);
          return [`${lines.length} begincidchar`, ...lines, "endcidchar"];
        })();
  return [
    "begincmap",
    `/CMapName /${name} def`,
    `/WMode ${name.endsWith("V") ? 1 : 0} def`,
    ...listRanges(family),
    ...codes,
    "endcmap",
    "",
  ].join("\n");
}

const unitsAreText = [
  "begincmap",
  "1 begincodespacerange",
  "<0000> <ffff>",
  "endcodespacerange",
  "1 beginbfrange",
  "<0000> <ffff> <0000>",
  "endbfrange",
  "endcmap",
  "",
].join("\n");

/**
 * What pdf.js asks for data files, for one document. It gets the encodings above and nothing from disk or network:
 * fonts and image decoders are not needed to read text.
 * pdf.js finds a character in two steps, code to glyph number and glyph number to Unicode. The first step here
 * gives Unicode at once, the second passes it on. Fonts that number glyphs themselves ("Identity-H") would come out
 * as other characters, so the second step is given only where a first one of ours was asked for.
 */
export class PdfDataFactory {
  #encodings = 0;

  async fetch({ kind, filename }: { kind: string; filename: string }): Promise<Uint8Array> {
    const name = filename.replace(/\.bcmap$/, "");
    if (kind === "cMapUrl") {
      if (/^Adobe-(?:GB1|CNS1|Japan1|Korea1|KR)-UCS2$/.test(name) && this.#encodings > 0) {
        return Buffer.from(unitsAreText);
      }
      const family = families.find(([pattern]) => pattern.test(name))?.[1];
      if (family !== undefined) {
        this.#encodings++;
        return Buffer.from(writeEncoding(name, family));
      }
    }
    // pdf.js catches this and goes on without the file.
    throw new RangeError(`no data file ${name}`);
  }
}
