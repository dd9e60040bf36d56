// How one set is scored: the words of its language, the best of several references, means with intervals.
import { detectLanguage } from "../text/language.js";
import { type DocumentGrams, novelty } from "../text/novelty.js";
import { aggregateRouge } from "../text/rouge/aggregate.js";
import { rouge } from "../text/rouge/rouge.js";
import type { RougeScore } from "../text/rouge/score.js";
import { tokenize } from "../text/rouge/tokenize.js";
import { splitSentences } from "../text/sentences.js";
import { countWords } from "../text/words.js";
import {
  type EvaluationType,
  evaluationTypes,
  type Interval,
  type MeanScores,
  type SummaryStatistics,
} from "./evaluation.js";

export type RowScore = Readonly<Record<EvaluationType, RougeScore>>;

export interface Bootstrap {
  readonly samples: number;
  readonly confidence: number;
  readonly seed: number;
}

/** Names a language by the votes of documents; undefined where no vote was sure. */
export class LanguageVotes {
  readonly counts: Record<string, number> = {};

  async add(document: string): Promise<void> {
    const { language, reliable } = await detectLanguage(document);
    if (language !== undefined && reliable)
      this.counts[language] = (this.counts[language] ?? 0) + 1;
  }

  winner(): string | undefined {
    // Ties go to the code that comes first, whatever the order of the rows.
    const ranked = Object.entries(this.counts).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return ranked[0]?.[0];
  }
}

/** The rules one set is scored by. English is read as rouge_score does, stemmed; other languages by Unicode words. */
export class SetScoring {
  readonly mode: "google" | "unicode";
  readonly stemmer: boolean;
  private readonly language: string | undefined;

  constructor(language: string | undefined) {
    const isEnglish = language?.toLowerCase().split(/[-_]/)[0] === "en";
    this.mode = isEnglish ? "google" : "unicode";
    this.stemmer = isEnglish;
    this.language = language;
  }

  sentences(text: string): string[] {
    const options = this.language === undefined ? {} : { language: this.language };
    return splitSentences(text, options).map(({ start, end }) => text.slice(start, end));
  }

  /** The words that ROUGE counts. */
  tokens(text: string): string[] {
    return tokenize(text, { mode: this.mode, stemmer: this.stemmer });
  }

  /** All types against the reference with the best ROUGE-1 F-measure, the first on a tie. */
  score(references: readonly string[], summary: string): RowScore {
    let best: RowScore | undefined;
    for (const reference of references) {
      const score = rouge(reference, summary, {
        types: evaluationTypes,
        stemmer: this.stemmer,
        mode: this.mode,
        splitSummaries: (text) => this.sentences(text),
      });
      if (best === undefined || score.rouge1.fmeasure > best.rouge1.fmeasure) best = score;
    }
    return best!;
  }
}

/** Mean F-measures with intervals; every list of the same length and seed shares its resamples. */
export function meanScores(rows: readonly RowScore[], bootstrap: Bootstrap): MeanScores {
  const aggregate = aggregateRouge(rows, bootstrap);
  return Object.fromEntries(
    evaluationTypes.map((type) => {
      const { mean, low, high } = aggregate[type];
      const fmeasure = { mean: mean.fmeasure, low: low.fmeasure, high: high.fmeasure };
      return [type, { precision: mean.precision, recall: mean.recall, fmeasure }];
    }),
  ) as unknown as MeanScores;
}

/** The paired difference of F-measures, first less second. */
export function meanDifference(
  first: readonly RowScore[],
  second: readonly RowScore[],
  bootstrap: Bootstrap,
): Record<EvaluationType, Interval> {
  const differences = first.map(
    (row, index) =>
      Object.fromEntries(
        evaluationTypes.map((type) => {
          const fmeasure = row[type].fmeasure - second[index]![type].fmeasure;
          return [type, { precision: 0, recall: 0, fmeasure }];
        }),
      ) as unknown as RowScore,
  );
  const scores = meanScores(differences, bootstrap);
  return Object.fromEntries(evaluationTypes.map((type) => [type, scores[type].fmeasure])) as Record<
    EvaluationType,
    Interval
  >;
}

/** A mean over the values that are there. */
export class Mean {
  private sum = 0;
  private count = 0;

  add(value: number | undefined): void {
    if (value === undefined) return;
    this.sum += value;
    this.count++;
  }

  /** 0 where nothing was added. */
  value(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }
}

/** Gathers sizes and novelty of one system's summaries. */
export class StatisticsSum {
  private readonly words = new Mean();
  private readonly sentences = new Mean();
  private readonly compression = new Mean();
  private readonly novelUnigrams = new Mean();
  private readonly novelBigrams = new Mean();

  add(
    summary: string,
    document: { readonly words: number; readonly grams: DocumentGrams },
    scoring: SetScoring,
  ): void {
    const words = countWords(summary);
    this.words.add(words);
    this.sentences.add(scoring.sentences(summary).length);
    if (words > 0) this.compression.add(document.words / words);
    const { unigrams, bigrams } = novelty(
      tokenize(summary, { mode: scoring.mode }),
      document.grams,
    );
    this.novelUnigrams.add(unigrams);
    this.novelBigrams.add(bigrams);
  }

  value(): SummaryStatistics {
    return {
      words: this.words.value(),
      sentences: this.sentences.value(),
      compression: this.compression.value(),
      novelUnigrams: this.novelUnigrams.value(),
      novelBigrams: this.novelBigrams.value(),
    };
  }
}
