// The Porter stemmer in the variant that NLTK calls NLTK_EXTENSIONS, which google's rouge_score stems with.

/** Words that stem to something no rule gives. */
const irregular = new Map([
  ["sky", "sky"],
  ["skies", "sky"],
  ["dying", "die"],
  ["lying", "lie"],
  ["tying", "tie"],
  ["news", "news"],
  ["innings", "inning"],
  ["inning", "inning"],
  ["outings", "outing"],
  ["outing", "outing"],
  ["cannings", "canning"],
  ["canning", "canning"],
  ["howe", "howe"],
  ["proceed", "proceed"],
  ["exceed", "exceed"],
  ["succeed", "succeed"],
]);

/** `[suffix, replacement]`; within a step the first suffix that fits decides, whether its condition holds or not. */
type Rules = readonly (readonly [suffix: string, replacement: string])[];

const step2Rules: Rules = [
  ["ational", "ate"],
  ["tional", "tion"],
  ["enci", "ence"],
  ["anci", "ance"],
  ["izer", "ize"],
  ["bli", "ble"],
  ["alli", "al"],
  ["entli", "ent"],
  ["eli", "e"],
  ["ousli", "ous"],
  ["ization", "ize"],
  ["ation", "ate"],
  ["ator", "ate"],
  ["alism", "al"],
  ["iveness", "ive"],
  ["fulness", "ful"],
  ["ousness", "ous"],
  ["aliti", "al"],
  ["iviti", "ive"],
  ["biliti", "ble"],
  ["fulli", "ful"],
  ["logi", "log"],
];

const step3Rules: Rules = [
  ["icate", "ic"],
  ["ative", ""],
  ["alize", "al"],
  ["iciti", "ic"],
  ["ical", "ic"],
  ["ful", ""],
  ["ness", ""],
];

const step4Suffixes = [
  "al",
  "ance",
  "ence",
  "er",
  "ic",
  "able",
  "ible",
  "ant",
  "ement",
  "ment",
  "ent",
  "ion",
  "ou",
  "ism",
  "ate",
  "iti",
  "ous",
  "ive",
  "ize",
] as const;

/** A y is a vowel after a consonant; at the start and after a vowel it is a consonant. */
function isVowel(letter: string | undefined, afterConsonant: boolean): boolean {
  switch (letter) {
    case "a":
    case "e":
    case "i":
    case "o":
    case "u":
      return true;
    case "y":
      return afterConsonant;
    default:
      return false;
  }
}

/** Porter's m: how many times a vowel run is followed by a consonant run in the first `length` letters. */
function measure(word: string, length: number): number {
  let m = 0;
  let vowel = false;
  for (let i = 0; i < length; i++) {
    const next = isVowel(word[i], i > 0 && !vowel);
    if (vowel && !next) m++;
    vowel = next;
  }
  return m;
}

function containsVowel(word: string): boolean {
  // In a run of y at least every second one is a vowel; only a single y that opens the word is none.
  return /[aeiou]|.y/s.test(word);
}

function isConsonant(word: string, index: number): boolean {
  // A run of y alternates, so its parity and the letter before it decide.
  let start = index;
  while (start > 0 && word[start] === "y") start--;
  const first = !isVowel(word[start], false);
  return (index - start) % 2 === 0 ? first : !first;
}

/** Ends in consonant, vowel, consonant other than w, x, y; or is just a vowel and a consonant. */
function endsShort(word: string): boolean {
  const last = word.length - 1;
  if (last === 1) return !isConsonant(word, 0) && isConsonant(word, 1);
  return (
    last >= 2 &&
    isConsonant(word, last - 2) &&
    !isConsonant(word, last - 1) &&
    isConsonant(word, last) &&
    !"wxy".includes(word[last] ?? "")
  );
}

/** Plurals. */
function step1a(word: string): string {
  if (word.endsWith("ies")) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith("sses")) return word.slice(0, -2);
  if (word.endsWith("ss")) return word;
  return word.endsWith("s") ? word.slice(0, -1) : word;
}

/** Past tense and -ing, with the repair of what is left. */
function step1b(word: string): string {
  if (word.endsWith("ied")) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith("eed")) return measure(word, word.length - 3) > 0 ? word.slice(0, -1) : word;
  const cut = word.endsWith("ed") ? 2 : word.endsWith("ing") ? 3 : 0;
  const stem = word.slice(0, word.length - cut);
  if (cut === 0 || !containsVowel(stem)) return word;
  if (stem.endsWith("at") || stem.endsWith("bl") || stem.endsWith("iz")) return `${stem}e`;
  const last = stem.length - 1;
  if (last >= 1 && stem[last] === stem[last - 1] && isConsonant(stem, last)) {
    return "lsz".includes(stem[last] ?? "") ? stem : stem.slice(0, -1);
  }
  return measure(stem, stem.length) === 1 && endsShort(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  const stem = word.length - 1;
  return word.endsWith("y") && stem > 1 && isConsonant(word, stem - 1)
    ? `${word.slice(0, -1)}i`
    : word;
}

function replaceFirst(word: string, rules: Rules): string {
  for (const [suffix, replacement] of rules) {
    if (!word.endsWith(suffix)) continue;
    // The l of -logi counts with the stem, so that geo- and theo- behave like archaeo-.
    const stem = word.length - (suffix === "logi" ? 3 : suffix.length);
    return measure(word, stem) > 0
      ? word.slice(0, word.length - suffix.length) + replacement
      : word;
  }
  return word;
}

function step2(word: string): string {
  if (word.endsWith("alli") && measure(word, word.length - 4) > 0) return step2(word.slice(0, -2));
  return replaceFirst(word, step2Rules);
}

function step4(word: string): string {
  for (const suffix of step4Suffixes) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.length - suffix.length;
    if (measure(word, stem) <= 1) return word;
    if (suffix === "ion" && word[stem - 1] !== "s" && word[stem - 1] !== "t") return word;
    return word.slice(0, stem);
  }
  return word;
}

function step5(word: string): string {
  let out = word;
  if (out.endsWith("e")) {
    const stem = out.slice(0, -1);
    const m = measure(stem, stem.length);
    if (m > 1 || (m === 1 && !endsShort(stem))) out = stem;
  }
  return out.endsWith("ll") && measure(out, out.length - 1) > 1 ? out.slice(0, -1) : out;
}

/**
 * The stem of one English word, which is lower-cased first.
 * Letters outside a–z count as consonants, in UTF-16 units.
 * Source: Porter 1980, with the departures of nltk.stem.PorterStemmer in its default mode.
 */
export function porterStem(word: string): string {
  const lower = word.toLowerCase();
  const known = irregular.get(lower);
  if (known !== undefined) return known;
  if (word.length <= 2) return lower;
  return step5(step4(replaceFirst(step2(step1c(step1b(step1a(lower)))), step3Rules)));
}
