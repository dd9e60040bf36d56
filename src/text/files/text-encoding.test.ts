// Tests that text is decoded as it was written, whatever its encoding is declared to be.
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../test/support/made-files.js";
import { decodeText, normalizeCharset } from "./text-encoding.js";

const french =
  "L’été dernier, la municipalité a décidé de rénover les écoles où les élèves étudiaient déjà. Le coût s’élève à près de 3 millions d’euros – « une dépense nécessaire », a déclaré le maire.";

/** A few sentences in each writing, with the legacy encodings people still send. */
const texts: readonly (readonly [string, readonly string[], string])[] = [
  ["French", ["windows-1252"], french],
  [
    "German",
    ["windows-1252"],
    "Die Stadtverwaltung hat beschlossen, die Schulen über die Sommerferien gründlich zu erneuern. Für die Schüler ändert sich während der Bauarbeiten wenig, größere Störungen erwartet niemand.",
  ],
  [
    "Polish",
    ["windows-1250", "iso-8859-2"],
    "Wczoraj wieczorem na rynku odbył się koncert, na który przyszło ponad tysiąc osób. Mieszkańcy długo oklaskiwali młodych muzyków, a część publiczności śpiewała razem z nimi.",
  ],
  [
    "Czech",
    ["windows-1250"],
    "Včera večer se na náměstí konal koncert, na který přišlo více než tisíc lidí. Obyvatelé dlouho tleskali mladým hudebníkům a část obecenstva zpívala společně s nimi, dokud nezačalo pršet.",
  ],
  [
    "Russian",
    ["windows-1251", "koi8-r", "iso-8859-5", "ibm866"],
    "Вчера вечером на площади состоялся концерт, на который пришло больше тысячи человек. Жители долго аплодировали молодым музыкантам, и часть публики пела вместе с ними.",
  ],
  [
    "Greek",
    ["iso-8859-7"],
    "Χθες το βράδυ έγινε συναυλία στην πλατεία και ήρθαν πάνω από χίλιοι άνθρωποι. Οι κάτοικοι χειροκρότησαν για πολλή ώρα τους νεαρούς μουσικούς.",
  ],
  [
    "Turkish",
    ["windows-1254"],
    "Dün akşam meydanda bir konser düzenlendi ve binden fazla kişi geldi. Şehir sakinleri genç müzisyenleri uzun süre alkışladı, izleyicilerin bir kısmı da onlarla birlikte şarkı söyledi.",
  ],
  [
    "Hebrew",
    ["windows-1255"],
    "אתמול בערב התקיים בכיכר קונצרט שאליו הגיעו יותר מאלף אנשים. התושבים מחאו כפיים זמן רב לנגנים הצעירים, וחלק מהקהל שר יחד איתם.",
  ],
  [
    "Arabic",
    ["windows-1256"],
    "أقيمت مساء أمس حفلة موسيقية في الساحة وحضرها أكثر من ألف شخص. وصفق السكان طويلا للموسيقيين الشباب وغنى جزء من الجمهور معهم.",
  ],
  [
    "Japanese",
    ["shift_jis", "euc-jp"],
    "昨日の夜、広場でコンサートが開かれ、千人以上の人が集まりました。住民は若い音楽家たちに長い間拍手を送り、一緒に歌う人もいました。",
  ],
  [
    "simplified Chinese",
    ["gb18030"],
    "昨天晚上，广场上举行了一场音乐会，有一千多人参加。居民们为年轻的音乐家们长时间鼓掌，部分观众还跟着一起唱。",
  ],
  [
    "traditional Chinese",
    ["big5"],
    "昨天晚上，廣場上舉行了一場音樂會，有一千多人參加。居民們為年輕的音樂家們長時間鼓掌，部分觀眾還跟著一起唱。",
  ],
  [
    "Korean",
    ["euc-kr"],
    "어제 저녁 광장에서 음악회가 열려 천 명이 넘는 사람들이 모였습니다. 주민들은 젊은 음악가들에게 오랫동안 박수를 보냈고, 함께 노래를 부르는 사람도 있었습니다.",
  ],
];

const cases = texts.flatMap(([language, encodings, text]) =>
  encodings.map((encoding) => [language, encoding, text] as const),
);

describe("decodeText without a declaration", () => {
  it.each(cases)("guesses %s in %s", (_, encoding, text) => {
    const decoded = decodeText(iconv.encode(text, encoding));
    expect(decoded?.text).toBe(text);
    expect(decoded?.warnings).toEqual([expect.stringContaining("guessed to be")]);
  });

  it.each(["utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be"])(
    "reads the mark of %s",
    (name) => {
      const decoded = decodeText(iconv.encode(french, name, { addBOM: true }));
      expect(decoded).toEqual({ text: french, encoding: name, warnings: [] });
    },
  );

  it.each(["utf-16le", "utf-16be"])("finds %s without a mark by its NULs", (encoding) => {
    for (const [, , text] of texts) {
      const lines = `${text}\n${text} 123\n`;
      const decoded = decodeText(iconv.encode(lines, encoding, { addBOM: false }));
      expect(decoded).toEqual({ text: lines, encoding, warnings: [] });
    }
  });

  it("takes UTF-8 for what it is before anything declared", () => {
    const bytes = Buffer.from(french);
    expect(decodeText(bytes, ["iso-8859-1"])).toEqual({
      text: french,
      encoding: "utf-8",
      warnings: [],
    });
  });

  it("reads ISO-2022-JP, which is ASCII to everyone else", () => {
    const bytes = Buffer.from("\x1b$B$3$s$K$A$O\x1b(B, world", "latin1");
    expect(decodeText(bytes)).toMatchObject({ text: "こんにちは, world", encoding: "iso-2022-jp" });
  });

  it("keeps UTF-8 with a few broken bytes and says so", () => {
    const bytes = Buffer.concat([Buffer.from(french), Buffer.from([0xff, 0x2e])]);
    const decoded = decodeText(bytes);
    expect(decoded?.text).toBe(`${french}\uFFFD.`);
    expect(decoded?.warnings).toEqual(["1 byte is not UTF-8 and shown as \uFFFD."]);
  });

  it("keeps UTF-8 that ends inside a character", () => {
    const decoded = decodeText(Buffer.from(`${french}é`).subarray(0, -1));
    expect(decoded?.encoding).toBe("utf-8");
    expect(decoded?.text.startsWith(french)).toBe(true);
  });

  it("finds the encoding by bytes far into a long line", () => {
    const text = `${"plain words ".repeat(20_000)}${french}`;
    expect(decodeText(iconv.encode(text, "windows-1252"))?.text).toBe(text);
  });

  it("decodes windows-1252's own signs, which Node's decoder takes for controls", () => {
    const bytes = Buffer.from([0x93, 0x4f, 0x6e, 0x65, 0x94, 0x20, 0x80, 0x35]);
    expect(decodeText(bytes, ["latin1"])?.text).toBe("“One” €5");
  });

  it("finds no text in noise and in NUL-ridden bytes", () => {
    const random = createRandom(3);
    const noise = Uint8Array.from({ length: 5000 }, () => random() * 256);
    expect(decodeText(noise)).toBeUndefined();
    expect(decodeText(Buffer.from("text\0\0\0with\0binary\0\x01\x02"))).toBeUndefined();
    expect(decodeText(new Uint8Array(1000))).toBeUndefined();
    expect(decodeText(Buffer.from("open file\0cannot read\0usage\0".repeat(50)))).toBeUndefined();
  });

  it("bears a NUL or two as padding", () => {
    const text = "Plain text that somebody padded. ".repeat(20);
    expect(decodeText(Buffer.from(`${text}\0\0`))?.encoding).toBe("utf-8");
  });

  it("reads plain text with a few odd signs as windows-1252", () => {
    const text = `${"An ordinary sentence of a manual. ".repeat(5)}Use it with care° or¬ here.`;
    expect(decodeText(Buffer.from(text, "latin1"))).toMatchObject({
      text,
      encoding: "windows-1252",
      warnings: [expect.stringContaining("guessed")],
    });
  });

  it("tells symbols strewn over bytes from writing", () => {
    const symbols = Buffer.from("x\xa4 y\xb6 z\xd7 w\xf7 v\xa6 u\xac ".repeat(40), "latin1");
    expect(decodeText(symbols)).toBeUndefined();
  });
});

describe("decodeText with a declaration", () => {
  it("believes it where the bytes bear it out", () => {
    const word = iconv.encode("Škoda", "windows-1250");
    expect(decodeText(word, ["windows-1250"])).toEqual({
      text: "Škoda",
      encoding: "windows-1250",
      warnings: [],
    });
  });

  it("passes over a wrong one and an unknown one, with a warning each", () => {
    const [, , russian] = texts.find(([language]) => language === "Russian")!;
    const decoded = decodeText(iconv.encode(russian, "koi8-r"), ["martian", "shift_jis"]);
    expect(decoded?.text).toBe(russian);
    expect(decoded?.warnings).toEqual([
      "The declared charset martian is unknown and was passed over.",
      "The text is not in the declared charset shift_jis, which was passed over.",
      "The encoding was not declared and is guessed to be koi8-r.",
    ]);
  });
});

describe("normalizeCharset", () => {
  it.each([
    ["ISO-8859-1", "windows-1252"],
    [' "UTF8" ', "utf-8"],
    ["gb2312", "gb18030"],
    ["Shift_JIS", "shift_jis"],
    ["KS_C_5601-1987", "euc-kr"],
    ["iso-2022-jp", "iso-2022-jp"],
  ])("reads %s as %s", (label, name) => {
    expect(normalizeCharset(label)).toBe(name);
  });

  it.each(["base64", "hex", "martian", "", "__proto__", "utf-8; drop", "constructor"])(
    "knows no charset %j",
    (label) => {
      expect(normalizeCharset(label)).toBeUndefined();
    },
  );
});
