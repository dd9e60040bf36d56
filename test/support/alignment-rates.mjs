// How often a sentence that was made of a document's own leads back to it, and how often one of another text leads nowhere.
// node test/support/alignment-rates.mjs
// @ts-check
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {{ start: number, end: number }} Span */
/** @typedef {typeof import("../../src/text/alignment.js")} Alignment */
/** @typedef {typeof import("../../src/text/sentences.js")} Sentences */
/** @typedef {typeof import("../../src/text/seeded-random.js")} SeededRandom */
/** @typedef {Pick<Alignment, "alignSummary"> & Pick<Sentences, "splitSentences"> & Pick<SeededRandom, "seededRandom">} Tools */

/** Shorter ones are hardly what a summary is made of. */
const fewestWords = 8;

/**
 * Makes sentences out of those of each document and looks where they lead.
 * @param {readonly string[]} documents at least two
 * @param {Tools} tools of src/ or of dist/, whichever the caller runs
 * @returns {Promise<Record<"shortened" | "reordered" | "joined" | "foreign", { cases: number, right: number, none: number }>>}
 *   right: the sentence it was made of is the nearest, or both are among them, or for one of another text there is none
 */
export async function ratesOf(documents, { alignSummary, splitSentences, seededRandom }) {
  const random = seededRandom(1);
  const chance = () => random.nextUint32() / 2 ** 32;
  const texts = documents.map((text) => ({
    text,
    spans: splitSentences(text).filter(
      ({ start, end }) => text.slice(start, end).split(/\s+/).length >= fewestWords,
    ),
  }));
  const empty = () => ({ cases: 0, right: 0, none: 0 });
  const rates = { shortened: empty(), reordered: empty(), joined: empty(), foreign: empty() };
  /** @param {string} text @param {Span} span */
  const wordsOf = (text, { start, end }) => text.slice(start, end).trim().split(/\s+/);
  /** @param {readonly string[]} words @param {number} share */
  const keep = (words, share) => words.filter(() => chance() < share);
  for (const [place, { text, spans }] of texts.entries()) {
    for (const [index, span] of spans.entries()) {
      const words = wordsOf(text, span);
      const half = Math.floor(words.length / 2);
      const other = spans[(index + Math.ceil(spans.length / 2)) % spans.length] ?? span;
      const others = wordsOf(text, other);
      const next = texts[(place + 1) % texts.length];
      const foreign = next?.spans[index % Math.max(1, next.spans.length)];
      const made = {
        shortened: keep(words, 0.5),
        reordered: [...keep(words.slice(half), 0.6), ...keep(words.slice(0, half), 0.6)],
        joined: [
          ...words.slice(0, Math.ceil(words.length * 0.6)),
          "and",
          ...others.slice(Math.floor(others.length * 0.4)),
        ],
        foreign: next === undefined || foreign === undefined ? [] : wordsOf(next.text, foreign),
      };
      for (const [kind, written] of Object.entries(made)) {
        const rate = rates[/** @type {keyof typeof rates} */ (kind)];
        if (written.length < 4 || (kind === "joined" && other === span)) continue;
        // Full stops inside would make several sentences of it.
        const summary = `${written.join(" ").replaceAll(/[.!?:;…]+/g, "")}.`;
        const found = (await alignSummary(text, summary)).flatMap(({ sources }) => sources);
        const nearest = [...found].sort((a, b) => b.score - a.score)[0];
        const has = (/** @type {Span} */ { start }) => found.some((each) => each.start === start);
        rate.cases += 1;
        if (found.length === 0) rate.none += 1;
        if (kind === "foreign") rate.right += found.length === 0 ? 1 : 0;
        else if (kind === "joined") rate.right += has(span) && has(other) ? 1 : 0;
        else rate.right += nearest?.start === span.start ? 1 : 0;
      }
    }
  }
  return rates;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  /** Not there before a build, so that types cannot know it. @param {string} name */
  const load = (name) => import(new URL(`../../dist/text/${name}.js`, import.meta.url).href);
  const [{ alignSummary }, { splitSentences }, { seededRandom }] = await Promise.all(
    ["alignment", "sentences", "seeded-random"].map(load),
  );
  const folder = fileURLToPath(new URL("../../docs/decisions", import.meta.url));
  const documents = readdirSync(folder).map((name) =>
    readFileSync(path.join(folder, name), "utf8")
      .replaceAll(/[*`]/g, "")
      .replaceAll(/\s*\n(?!\n)/g, " "),
  );
  console.log(
    JSON.stringify(await ratesOf(documents, { alignSummary, splitSentences, seededRandom })),
  );
}
