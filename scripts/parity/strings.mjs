// What the parity scripts share: a Python script's lines, and texts as the real sentencepiece and Bridle's own take them.
// @ts-check
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * Lines that a Python script prints. @param {string} python @param {string[]} args the script first
 * @returns {AsyncGenerator<string>}
 */
export async function* lines(python, args) {
  const child = spawn(python, args, { stdio: ["ignore", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-4000);
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  yield* createInterface({ input: child.stdout });
  const code = await ended;
  if (code !== 0) throw new Error(`${args[0]} ended with code ${code}:\n${complaint}`);
}

/**
 * A text as Bridle takes it apart and puts it together again, beside a line of sentencepiece.py.
 * @param {import("../../src/text/tokenizers/sentencepiece.js").SentencePiece} ours @param {string} line
 */
export function compareString(ours, line) {
  const expected = JSON.parse(line);
  const encoded = ours.encode(expected.text);
  // Decoding from ids, an unknown piece has lost its text.
  const decode = (/** @type {number[]} */ ids) => ours.decode(ids.map((id) => ours.pieceOf(id)));
  const actual = {
    text: expected.text,
    normalized: ours.normalize(expected.text),
    pieces: encoded.map(({ piece }) => piece),
    ids: encoded.map(({ id }) => id),
    places: ours.encodePlaced(expected.text).map(({ start, end }) => [start, end]),
    decoded: decode(encoded.map(({ id }) => id)),
    drawn: expected.drawn,
    decoded_drawn: decode(expected.drawn),
  };
  return { actual, expected, isSame: JSON.stringify(actual) === JSON.stringify(expected) };
}
