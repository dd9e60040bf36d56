// Figures of many values: quantiles and a histogram, from eight bytes each.
import { NumberColumn } from "../number-column.js";

export interface Histogram {
  /** Where the first bar begins, and how wide each is. */
  readonly from: number;
  readonly width: number;
  readonly counts: readonly number[];
  /** Values past the last bar. */
  readonly above: number;
}

export interface Distribution {
  readonly count: number;
  readonly least: number;
  readonly p5: number;
  readonly median: number;
  readonly p95: number;
  readonly most: number;
  readonly mean: number;
  readonly histogram: Histogram;
}

const bars = 40;
/** Share of the values that bars are drawn for; a few very long texts would leave them all in the first one. */
const drawn = 0.99;

/** A width of 1, 2 or 5 times a power of ten, at least the one given. */
function roundWidth(width: number): number {
  const power = 10 ** Math.floor(Math.log10(width));
  return power * ([1, 2, 5, 10].find((step) => step * power >= width * (1 - 1e-9)) ?? 10);
}

function histogramOf(sorted: Float64Array, whole: boolean): Histogram {
  const from = Math.min(0, sorted[0]!);
  const to = sorted[Math.min(sorted.length - 1, Math.ceil(drawn * sorted.length))]!;
  const exact = roundWidth(Math.max(to - from, whole ? bars : 1e-6) / bars);
  const width = whole ? Math.max(1, exact) : exact;
  const length = Math.max(1, Math.floor((to - from) / width + 1e-9) + 1);
  const counts = Array.from({ length }, () => 0);
  let above = 0;
  for (const value of sorted) {
    const bar = Math.floor((value - from) / width + 1e-9);
    if (bar < length) counts[bar]!++;
    else above++;
  }
  return { from, width, counts, above };
}

export class Values {
  readonly #numbers = new NumberColumn(Float64Array);
  readonly #whole: boolean;

  /** @param kind whether they are counts, so that no bar is narrower than 1 */
  constructor(kind: "counts" | "shares") {
    this.#whole = kind === "counts";
  }

  push(value: number): void {
    this.#numbers.push(value);
  }

  /** Undefined where there are none. */
  distribution(): Distribution | undefined {
    const sorted = this.#numbers.view().slice().sort();
    const count = sorted.length;
    if (count === 0) return undefined;
    const at = (share: number) => sorted[Math.round(share * (count - 1))]!;
    let sum = 0;
    for (const value of sorted) sum += value;
    return {
      count,
      least: sorted[0]!,
      p5: at(0.05),
      median: at(0.5),
      p95: at(0.95),
      most: sorted[count - 1]!,
      mean: sum / count,
      histogram: histogramOf(sorted, this.#whole),
    };
  }
}
