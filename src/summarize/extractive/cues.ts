// What a sentence's wording and layout tell beyond the counts of its words: who speaks, whether it announces, asks or ends.

/** Cues are looked for among so many first words. */
const cueWords = 60;

function wordSet(...lists: string[]): ReadonlySet<string> {
  return new Set(lists.flatMap((list) => list.split(" ")));
}

/** Authors speaking of what they do; languages that leave the pronoun out are met by their verbs. */
const authorWords = wordSet(
  "we our us i my",
  "wir unser unsere unserem unseren unserer unseres ich",
  "nous notre nos je",
  "nosotros nuestro nuestra nuestros nuestras yo presentamos proponemos mostramos demostramos estudiamos describimos",
  "nós nosso nossa nossos nossas apresentamos propomos estudamos descrevemos desenvolvemos analisamos",
  "noi nostro nostra nostri nostre presentiamo proponiamo mostriamo studiamo descriviamo analizziamo",
  "wij onze ons",
  "мы наш наша наше наши нашего нашей наших нашу я",
);
/** The same in scripts without spaces, where a word is no token. */
const authorPhrases = ["我们", "我們", "我々", "私たち", "本研究", "本論文"];

/** "This article" and its like: a word that points and, at once or after one more, a word for a text. */
const pointingWords = wordSet(
  "this present diese dieser diesem diesen dieses ce cet cette este esta neste nesta questo questa",
  "deze dit этой этот эта данной данная данный",
);
const textWords = wordSet(
  "paper article topic section guide tutorial document page work study report chapter post",
  "artikel anleitung seite arbeit beitrag abschnitt kapitel dokument studie bericht",
  "étude travail chapitre rapport tutoriel",
  "artículo página sección guía trabajo capítulo estudio informe documento",
  "artigo seção guia trabalho estudo relatório articolo pagina sezione guida lavoro capitolo studio rapporto",
  "pagina hoofdstuk handleiding статье статья работе работа главе глава докладе доклад",
);
const textPhrases = ["本文", "本稿", "本章", "本研究", "本論文"];

const beyondLatin = /[\u3000-\u9fff]/;

function holdsPhrase(sentence: string, phrases: readonly string[]): boolean {
  return beyondLatin.test(sentence) && phrases.some((phrase) => sentence.includes(phrase));
}

const closers = `["'”’»›)\\]）」』】]*`;
const whole = new RegExp(`[\\p{Sentence_Terminal}…]${closers}$`, "u");
const introduces = new RegExp(`[:：]${closers}$`, "u");
const question = new RegExp(`[?？؟]${closers}$`, "u");
const tailLength = 12;

const speaker = /^([#\p{L}\p{N}_ .'’-]{1,30})[:：](?:\s|$)/u;

/** Whether the authors speak of themselves. `words` in lower case. */
export function speaksAsAuthor(sentence: string, words: readonly string[]): boolean {
  const to = Math.min(cueWords, words.length);
  for (let i = 0; i < to; i++) if (authorWords.has(words[i]!)) return true;
  return holdsPhrase(sentence, authorPhrases);
}

/** Whether the sentence tells what the text at hand is about. `words` in lower case. */
export function announces(sentence: string, words: readonly string[]): boolean {
  const to = Math.min(cueWords, words.length - 1);
  for (let i = 0; i < to; i++) {
    if (!pointingWords.has(words[i]!)) continue;
    if (textWords.has(words[i + 1]!) || textWords.has(words[i + 2] ?? "")) return true;
  }
  return holdsPhrase(sentence, textPhrases);
}

/** `whole` ends as sentences do, `introduces` ends in a colon, `fragment` is a heading, a list item or the like. */
export function endingOf(sentence: string): "whole" | "introduces" | "fragment" {
  const tail = sentence.slice(-tailLength);
  if (whole.test(tail)) return "whole";
  return introduces.test(tail) ? "introduces" : "fragment";
}

export function asks(sentence: string): boolean {
  return question.test(sentence.slice(-tailLength));
}

/** Who speaks, where a line begins as a turn of a dialogue does ("Anna: …"). */
export function speakerOf(sentence: string): string | undefined {
  return speaker.exec(sentence.slice(0, 40))?.[1];
}
