// Looks into a PDF's compressed streams before pdf.js does, which would unpack a 5 KB one to 3 GB without a word.
import { constants, inflateSync } from "node:zlib";

const streamKeyword = Buffer.from("stream");
const endKeyword = Buffer.from("endstream");
/** Compression on compression multiplies; real files use one layer. */
const maxLayers = 6;
/** How much of the object before a stream is looked at for its dictionary. */
const dictionaryReach = 2048;

function decodeHex(data: Buffer): Buffer {
  const end = data.indexOf(">");
  const digits = data.toString("latin1", 0, end < 0 ? undefined : end).replace(/[^\da-fA-F]/g, "");
  return Buffer.from(digits.slice(0, digits.length & ~1), "hex");
}

function decodeAscii85(data: Buffer): Buffer {
  const out = Buffer.alloc(data.length * 4);
  let length = 0;
  let group = 0;
  let count = 0;
  for (const byte of data) {
    if (byte === 0x7e) break;
    if (byte === 0x7a && count === 0) {
      length += 4;
    } else if (byte >= 0x21 && byte <= 0x75) {
      group = group * 85 + (byte - 0x21);
      if (++count < 5) continue;
      out.writeUInt32BE(group % 0x1_0000_0000, length);
      length += 4;
      group = 0;
      count = 0;
    }
  }
  // A last group of fewer digits stands for one byte less than it has digits.
  for (let pad = count; count > 0 && pad < 5; pad++) group = group * 85 + 84;
  for (let i = 0; i < count - 1; i++) out[length++] = Math.floor(group / 256 ** (3 - i)) & 0xff;
  return out.subarray(0, length);
}

function isZlib(data: Buffer): boolean {
  return data.length > 2 && (data[0]! & 0x0f) === 8 && data.readUInt16BE(0) % 31 === 0;
}

/** What a stream unpacks to at its largest layer, in bytes; infinite beyond the limit. */
function unpackedSize(stream: Buffer, dictionary: string, limitBytes: number): number {
  let data = stream;
  let largest = 0;
  if (/ASCIIHex|\/AHx/.test(dictionary)) data = decodeHex(data);
  else if (/ASCII85|\/A85/.test(dictionary)) data = decodeAscii85(data);
  for (let layer = 0; isZlib(data); layer++) {
    if (layer === maxLayers) return Number.POSITIVE_INFINITY;
    try {
      data = inflateSync(data, {
        maxOutputLength: limitBytes,
        finishFlush: constants.Z_SYNC_FLUSH,
      });
    } catch (thrown) {
      const over =
        thrown instanceof Error && "code" in thrown && thrown.code === "ERR_BUFFER_TOO_LARGE";
      // Broken data is pdf.js's to complain of.
      return over ? Number.POSITIVE_INFINITY : largest;
    }
    largest = Math.max(largest, data.length);
  }
  return largest;
}

/**
 * Whether any stream of a PDF unpacks to more than a limit, or all together to ten times that. Pictures are passed
 * over, since reading text never unpacks them; streams of an encrypted file cannot be looked into here.
 */
export function hasStreamBeyond(bytes: Uint8Array, limitBytes: number): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let total = 0;
  for (let at = file.indexOf(streamKeyword); at >= 0; ) {
    let start = at + streamKeyword.length;
    if (file[start] === 0x0d) start++;
    if (file[start] === 0x0a) start++;
    const end = file.indexOf(endKeyword, start);
    const before = file.toString("latin1", Math.max(0, at - dictionaryReach), at);
    const dictionary = before.slice(Math.max(0, before.lastIndexOf(" obj")));
    const picture = /\/Subtype\s*\/Image\b/.test(dictionary);
    const stream = file.subarray(start, end < 0 ? file.length : end);
    if (!picture) total += unpackedSize(stream, dictionary, limitBytes);
    if (total > 10 * limitBytes) return true;
    if (end < 0) return false;
    at = file.indexOf(streamKeyword, end + endKeyword.length);
  }
  return false;
}
