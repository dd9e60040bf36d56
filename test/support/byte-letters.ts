// The alphabet of byte-level BPE, for vocabularies that tests make.

/** The letters that stand for bytes, as GPT-2 has them: printable ones for themselves. */
export const byteLetters: readonly string[] = (() => {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : next++),
  );
})();
