// Reads Prometheus' text format, as far as the page needs it: samples with their labels, and histograms out of buckets.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+\d+)?$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const escapes: Readonly<Record<string, string>> = { n: "\n", "\\": "\\", '"': '"' };

/** Every sample of an answer, in its order; comments and what cannot be read are passed over. */
export function readSamples(text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const each of text.split("\n")) {
    const [, name, labels = "", written = ""] = line.exec(each) ?? [];
    if (name === undefined) continue;
    const value = written === "+Inf" ? Number.POSITIVE_INFINITY : Number(written);
    if (Number.isNaN(value)) continue;
    samples.push({
      name,
      value,
      labels: Object.fromEntries(
        [...labels.matchAll(label)].map(([, key = "", raw = ""]) => [
          key,
          raw.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter),
        ]),
      ),
    });
  }
  return samples;
}

/** The sum of all samples of a name whose labels fit; undefined where there is none. */
export function total(
  samples: readonly Sample[],
  name: string,
  fits: (labels: Sample["labels"]) => boolean = () => true,
): number | undefined {
  const found = samples.filter((sample) => sample.name === name && fits(sample.labels));
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** Upper edges of a histogram with how many lay at or below each, in order; the last edge is infinite. */
export type Buckets = readonly (readonly [edge: number, count: number])[];

export function buckets(
  samples: readonly Sample[],
  name: string,
  fits: (labels: Sample["labels"]) => boolean = () => true,
): Buckets {
  const counts = new Map<number, number>();
  for (const { name: own, labels, value } of samples) {
    if (own !== `${name}_bucket` || !fits(labels)) continue;
    const edge = labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le);
    counts.set(edge, (counts.get(edge) ?? 0) + value);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

/**
 * Where so much of a histogram lies, 0 to 1: between two edges in proportion, as Prometheus' histogram_quantile has it.
 * What lies beyond the last finite edge is given as that edge. Undefined where nothing was counted.
 */
export function quantile(histogram: Buckets, share: number): number | undefined {
  const all = histogram.at(-1)?.[1] ?? 0;
  if (all === 0) return undefined;
  const rank = share * all;
  let lower = 0;
  let below = 0;
  for (const [edge, count] of histogram) {
    if (count >= rank && count > below) {
      if (edge === Number.POSITIVE_INFINITY) return lower;
      return lower + ((edge - lower) * (rank - below)) / (count - below);
    }
    below = count;
    if (edge !== Number.POSITIVE_INFINITY) lower = edge;
  }
  return lower;
}
