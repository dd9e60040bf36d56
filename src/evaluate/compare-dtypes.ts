// What rounding a model's weights does to its scores: logits of both on the same documents and references.
import type { Pair } from "../data/pairs.js";
import { type Model, openModel } from "../generate/model.js";
import { loadTokenizer } from "../text/tokenizers/load.js";

export interface LogitsCompared {
  /** Places of references that were scored. */
  readonly tokens: number;
  /** √(Σ(x − y)² / Σx²) over the logits of all places, each row's mean taken away, which softmax does not see. */
  readonly relativeError: number;
  /** Share of the places at which both find the same token likeliest. */
  readonly sameLikeliest: number;
  /** Mean cross-entropy of the references' tokens, exact and rounded. */
  readonly loss: number;
  readonly roundedLoss: number;
}

/** Tokens of a document and of a reference that are read. */
const [mostSource, mostTarget] = [512, 64];

/**
 * Scores references under a model and under the same with rounded weights. Works on this thread.
 * @throws what openModel throws
 */
export async function compareLogits(
  folder: string,
  dtype: "int8" | "int4",
  pairs: AsyncIterable<Pair> | Iterable<Pair>,
): Promise<LogitsCompared> {
  const read = await loadTokenizer(folder);
  const opened: Model[] = [];
  try {
    for (const each of ["fp32", dtype] as const)
      opened.push(await openModel(folder, { dtype: each, device: "cpu" }));
    const [exact, rounded] = opened as [Model, Model];
    const tokenizer = read.within(exact.config.vocabSize);
    const limit = exact.config.maxPositions ?? mostSource;
    const cut = (text: string, most: number) => {
      const ids = tokenizer.encode(text);
      // The end token stays: a model has not learned to read without.
      return ids.length <= most ? ids : [...ids.slice(0, most - 1), ids.at(-1) as number];
    };
    const sums = { off: 0, all: 0, same: 0, tokens: 0, loss: 0, roundedLoss: 0 };
    for await (const { document, references } of pairs) {
      const input = {
        inputIds: [cut(exact.config.prefix + document, Math.min(mostSource, limit))],
        labels: [cut(references[0] ?? "", Math.min(mostTarget, limit))],
      };
      const [a, b] = [await exact.forward(input), await rounded.forward(input)];
      add(sums, a.logits.data, b.logits.data, exact.config.vocabSize);
      const count = input.labels[0]?.length ?? 0;
      sums.loss += (a.loss ?? 0) * count;
      sums.roundedLoss += (b.loss ?? 0) * count;
    }
    return {
      tokens: sums.tokens,
      relativeError: Math.sqrt(sums.off / sums.all),
      sameLikeliest: sums.same / sums.tokens,
      loss: sums.loss / sums.tokens,
      roundedLoss: sums.roundedLoss / sums.tokens,
    };
  } finally {
    for (const model of opened) await model.close();
  }
}

function add(
  sums: { off: number; all: number; same: number; tokens: number },
  exact: Float32Array,
  rounded: Float32Array,
  vocabulary: number,
): void {
  for (let at = 0; at < exact.length; at += vocabulary) {
    const [x, y] = [exact, rounded].map((data) => data.subarray(at, at + vocabulary)) as [
      Float32Array,
      Float32Array,
    ];
    let [meanX, meanY, mostX, mostY] = [0, 0, 0, 0];
    for (let i = 0; i < vocabulary; i++) {
      meanX += (x[i] as number) / vocabulary;
      meanY += (y[i] as number) / vocabulary;
      if ((x[i] as number) > (x[mostX] as number)) mostX = i;
      if ((y[i] as number) > (y[mostY] as number)) mostY = i;
    }
    for (let i = 0; i < vocabulary; i++) {
      const own = (x[i] as number) - meanX;
      sums.off += (own - ((y[i] as number) - meanY)) ** 2;
      sums.all += own ** 2;
    }
    sums.same += Number(mostX === mostY);
    sums.tokens += 1;
  }
}
