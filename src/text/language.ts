// Names the language a text is written in, by its letter n-grams (eld), from a bounded sample.
import type { eld } from "eld/small";

export interface DetectedLanguage {
  /** ISO 639-1 code such as `en`; undefined where the text holds too little to tell. */
  readonly language: string | undefined;
  /** Whether the detector is sure of it; short texts and lists of names often are not. */
  readonly reliable: boolean;
}

/** Samples are taken at the start, the middle and the end of a text, so that a foreign preface does not decide. In UTF-16 units; eld reads no more. */
const windowLength = 1000;

type Detector = typeof eld;
let loading: Promise<Detector> | undefined;

/** Loads the n-gram table (1.6 MB, about 0.1 s) at the first call, so that programs which need no language start quickly. */
function loadDetector(): Promise<Detector> {
  loading ??= import("eld/small").then((module) => {
    module.eld.enableTextCleanup(true);
    return module.eld;
  });
  return loading;
}

function windowsOf(text: string): string[] {
  if (text.length <= windowLength) return [text];
  const starts =
    text.length <= 3 * windowLength
      ? [0, text.length - windowLength]
      : [0, Math.floor((text.length - windowLength) / 2), text.length - windowLength];
  return starts.map((start) => text.slice(start, start + windowLength));
}

/** The language of a text, from at most 3,000 of its characters. Never throws; blank text and numbers have no language. */
export async function detectLanguage(text: string): Promise<DetectedLanguage> {
  const detector = await loadDetector();
  const scores = new Map<string, number>();
  const votes = new Map<string, number>();
  const windows = windowsOf(text).filter((window) => /\p{L}/u.test(window));
  for (const window of windows) {
    const result = detector.detect(window);
    for (const [language, score] of Object.entries(result.getScores())) {
      scores.set(language, (scores.get(language) ?? 0) + score);
    }
    if (result.language !== "" && result.isReliable()) {
      votes.set(result.language, (votes.get(result.language) ?? 0) + 1);
    }
  }
  let language: string | undefined;
  let best = 0;
  for (const [name, score] of scores) {
    if (score > best) {
      best = score;
      language = name;
    }
  }
  const reliable = language !== undefined && 2 * (votes.get(language) ?? 0) > windows.length;
  return { language, reliable };
}
