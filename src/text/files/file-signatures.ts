// What bytes are by their first few: the kinds of file that are not read here, by name, and what to do with them.

/** A kind of file as errors name it, and the advice that follows "Accepted are …;". */
export interface FileKind {
  readonly looksLike: string;
  readonly advice: string;
}

const picture = "run OCR on a picture of text and send what it finds";
const program = "a program holds no document";
const sound = "transcribe speech and send the transcript";
const archive = "unpack it and send the documents in it one by one";
const save = "save it as docx or PDF in its own program";
const exportText = "export its text as txt";

interface Signature extends FileKind {
  readonly at?: number;
  /** Latin-1 of the bytes. */
  readonly bytes: string;
}

const signatures: readonly Signature[] = [
  { bytes: "\x89PNG", looksLike: "a PNG picture", advice: picture },
  { bytes: "\xff\xd8\xff", looksLike: "a JPEG picture", advice: picture },
  { bytes: "GIF8", looksLike: "a GIF picture", advice: picture },
  { bytes: "II*\0", looksLike: "a TIFF picture", advice: picture },
  { bytes: "MM\0*", looksLike: "a TIFF picture", advice: picture },
  { bytes: "8BPS", looksLike: "a Photoshop picture", advice: picture },
  { bytes: "WEBP", at: 8, looksLike: "a WebP picture", advice: picture },
  { bytes: "\0\0\x01\0", looksLike: "an icon", advice: picture },
  { bytes: "\0\0\0\x0cjP  ", looksLike: "a JPEG 2000 picture", advice: picture },
  { bytes: "ftypavif", at: 4, looksLike: "an AVIF picture", advice: picture },
  { bytes: "ftyphei", at: 4, looksLike: "a HEIC picture", advice: picture },
  { bytes: "ftyp", at: 4, looksLike: "a video or sound file (MP4)", advice: sound },
  { bytes: "\x1aE\xdf\xa3", looksLike: "a video (Matroska or WebM)", advice: sound },
  { bytes: "RIFF", looksLike: "a sound or video file (RIFF)", advice: sound },
  { bytes: "ID3", looksLike: "a sound file (MP3)", advice: sound },
  { bytes: "\xff\xfb", looksLike: "a sound file (MP3)", advice: sound },
  { bytes: "OggS", looksLike: "a sound file (Ogg)", advice: sound },
  { bytes: "fLaC", looksLike: "a sound file (FLAC)", advice: sound },
  { bytes: "\x1f\x8b", looksLike: "a gzip archive", advice: archive },
  { bytes: "BZh", looksLike: "a bzip2 archive", advice: archive },
  { bytes: "\xfd7zXZ\0", looksLike: "an xz archive", advice: archive },
  { bytes: "\x28\xb5\x2f\xfd", looksLike: "a Zstandard archive", advice: archive },
  { bytes: "7z\xbc\xaf\x27\x1c", looksLike: "a 7-Zip archive", advice: archive },
  { bytes: "Rar!\x1a\x07", looksLike: "a RAR archive", advice: archive },
  { bytes: "ustar", at: 257, looksLike: "a tar archive", advice: archive },
  { bytes: "\x7fELF", looksLike: "a program (ELF)", advice: program },
  { bytes: "MZ", looksLike: "a Windows program", advice: program },
  { bytes: "\xcf\xfa\xed\xfe", looksLike: "a macOS program", advice: program },
  { bytes: "\xca\xfe\xba\xbe", looksLike: "a compiled program", advice: program },
  { bytes: "\0asm", looksLike: "a WebAssembly program", advice: program },
  { bytes: "SQLite format 3\0", looksLike: "an SQLite database", advice: exportText },
  { bytes: "PAR1", looksLike: "a Parquet table", advice: exportText },
  { bytes: "{\\rtf", looksLike: "a rich text file (RTF)", advice: save },
  { bytes: "%!PS", looksLike: "a PostScript file", advice: "convert it with ps2pdf" },
  { bytes: "\xffWPC", looksLike: "a WordPerfect file", advice: save },
  { bytes: "ITSF", looksLike: "a compiled help file (CHM)", advice: exportText },
  { bytes: "BOOKMOBI", at: 60, looksLike: "a Kindle book", advice: "convert it to PDF or docx" },
];

/** These formats are text themselves. */
const textual = new Set(["{\\rtf", "%!PS"]);

/** A signature of letters alone also begins texts ("MZ" in a novel); it counts only with bytes no text holds. */
function matches(head: string, { bytes, at = 0 }: Signature): boolean {
  if (!head.startsWith(bytes, at)) return false;
  if (textual.has(bytes) || /[^\x20-\x7e]/.test(bytes)) return true;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  return /[\0-\x08\x0e-\x1a]/.test(head);
}

/** The kind of file that the first bytes give away, among those not read here. */
export function findFileKind(bytes: Uint8Array): FileKind | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 512));
  const latin1 = head.toString("latin1");
  return signatures.find((signature) => matches(latin1, signature));
}

/** Parts by which a zip archive is known for what it is. */
const zipKinds: readonly (FileKind & { readonly part: RegExp })[] = [
  { part: /^xl\//, looksLike: "a spreadsheet (xlsx)", advice: exportText },
  { part: /^ppt\//, looksLike: "a presentation (pptx)", advice: "export it as PDF" },
  { part: /^visio\//, looksLike: "a Visio drawing", advice: "export it as PDF" },
  {
    part: /^META-INF\/container\.xml$/,
    looksLike: "an e-book (EPUB)",
    advice: "convert it to docx",
  },
  { part: /^AndroidManifest\.xml$/, looksLike: "an Android program", advice: program },
  { part: /^META-INF\/MANIFEST\.MF$/, looksLike: "a Java archive", advice: program },
  { part: /^Index\/Document\.iwa$/, looksLike: "a Pages document", advice: save },
  { part: /^content\.xml$/, looksLike: "an OpenDocument file (odt, ods, odp)", advice: save },
];

/** What a zip archive that is no Word document looks like, by the names in it. */
export function zipKind(names: readonly string[]): FileKind {
  const known = zipKinds.find(({ part }) => names.some((name) => part.test(name)));
  return known ?? { looksLike: "a zip archive", advice: archive };
}

/** Streams by which Microsoft's older container (OLE) is known, in UTF-16. */
const oleKinds: readonly (FileKind & { readonly stream: string })[] = [
  { stream: "WordDocument", looksLike: "an old Word file (doc)", advice: save },
  { stream: "Workbook", looksLike: "an old Excel file (xls)", advice: exportText },
  { stream: "PowerPoint Document", looksLike: "an old PowerPoint file (ppt)", advice: save },
  { stream: "__properties_version1.0", looksLike: "an Outlook message (msg)", advice: exportText },
];

export function isOle(bytes: Uint8Array): boolean {
  return Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]).equals(bytes.subarray(0, 8));
}

/** What such a container holds; "encrypted" for an Office file behind a password. */
export function oleKind(bytes: Uint8Array): FileKind | "encrypted" {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.includes(Buffer.from("EncryptedPackage", "utf16le"))) return "encrypted";
  const known = oleKinds.find(({ stream }) => file.includes(Buffer.from(stream, "utf16le")));
  return known ?? { looksLike: "an old Office file", advice: save };
}
