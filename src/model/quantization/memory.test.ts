// Attention to keys and values that are whole numbers: beside exact attention, on both kinds of machines, and where it suffers.
import { describe, expect, it } from "vitest";
import { relativeError } from "../../../test/support/relative-error.js";
import {
  attention,
  type Dim,
  GraphBuilder,
  gather,
  quantizedAttention,
  quantizeMemory,
  reshape,
  transpose,
  type Value,
  type WholeNumber,
} from "../../graph/index.js";
import { openSession } from "../../runtime/session.js";
import { float32, size, type Tensor } from "../../runtime/tensor.js";
import { wholeNumberProducts } from "../../runtime/whole-number-products.js";
import type { ModelConfig } from "../family.js";
import { layersAbove, measureLayers, mostError } from "./calibrate.js";

const [batch, heads, rows, width, source] = [2, 3, 4, 16, 21];
const scale = 0.25;

/** Numbers between −2 and 2 that look like any. */
const numbers = (seed: number, ...shape: number[]) =>
  float32(
    Float32Array.from({ length: size(shape) }, (_, i) => 2 * Math.sin((i + 1) * 12.9898 + seed)),
    shape,
  );
const like = (g: GraphBuilder, name: string, shape: readonly Dim[]) =>
  g.input(name, "float32", shape);
const dropped = -3.4e38;

async function run(
  build: (g: GraphBuilder, v: Record<"q" | "k" | "v" | "mask", Value>) => Value,
  feeds: Record<string, Tensor<"float32">>,
): Promise<Float32Array> {
  const g = new GraphBuilder();
  const values = {
    q: like(g, "q", [batch, heads, rows, width]),
    k: like(g, "k", [batch, heads, "source", width]),
    v: like(g, "v", [batch, heads, "source", width]),
    mask: like(g, "mask", [batch, 1, 1, "source"]),
  };
  const options = { device: "cpu", threads: 1 } as const;
  const session = await openSession(
    g.finish([g.output("y", build(g, values))]),
    new Map(),
    options,
  );
  try {
    return ((await session.run(feeds)).y as Tensor<"float32">).data;
  } finally {
    await session.close();
  }
}

const exact = (feeds: Record<string, Tensor<"float32">>) =>
  run((g, { q, k, v, mask }) => attention(g, { q, k, v, mask, scale }), feeds);
const rounded = (feeds: Record<string, Tensor<"float32">>, dtype: WholeNumber) =>
  run((g, { q, k, v, mask }) => {
    const keys = quantizeMemory(g, k, { dtype, turned: true });
    const values = quantizeMemory(g, v, { dtype });
    return quantizedAttention(g, { q, k: keys, v: values, mask, scale });
  }, feeds);

/** Those of which products are exact on this machine. */
const types = async () =>
  (await wholeNumberProducts()) === "int8" ? (["int8", "uint8"] as const) : (["uint8"] as const);

function feedsOf(): Record<string, Tensor<"float32">> {
  const mask = new Float32Array(batch * source);
  // The second document has five tokens of padding.
  mask.fill(dropped, 2 * source - 5);
  return {
    q: numbers(1, batch, heads, rows, width),
    k: numbers(2, batch, heads, source, width),
    v: numbers(3, batch, heads, source, width),
    mask: float32(mask, [batch, 1, 1, source]),
  };
}

/** What the op is said to do, in double precision: rounding half to even as onnxruntime does. */
function reference({ q, k, v, mask }: Record<string, Tensor<"float32">>): Float32Array {
  const round = (x: number) => {
    const near = Math.round(x);
    return Math.abs(x - Math.trunc(x)) === 0.5 && near % 2 !== 0 ? near - 1 : near;
  };
  const answer = new Float32Array(batch * heads * rows * width);
  const columns = (data: Float32Array, block: number) =>
    Array.from({ length: width }, (_, d) => {
      const column = Array.from(
        { length: source },
        (_, s) => data[(block * source + s) * width + d] as number,
      );
      const largest = Math.max(...column.map(Math.abs));
      return { largest, codes: column.map((x) => round(Math.fround(x / largest) * 127)) };
    });
  for (let block = 0; block < batch * heads; block++) {
    const [keys, values] = [columns(k!.data, block), columns(v!.data, block)];
    for (let t = 0; t < rows; t++) {
      const start = (block * rows + t) * width;
      const asked = keys.map(({ largest }, d) => (q!.data[start + d] as number) * largest);
      const most = Math.max(...asked.map(Math.abs));
      const codes = asked.map((x) => round(Math.fround(x / most) * 127));
      const scores = Array.from({ length: source }, (_, s) => {
        const sum = keys.reduce((all, key, d) => all + (codes[d] as number) * key.codes[s]!, 0);
        const at = Math.floor(block / heads) * source + s;
        return (sum * most * scale) / 127 / 127 + (mask!.data[at] as number);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const sum = weights.reduce((a, b) => a + b, 0);
      // 255 steps of the heaviest, which is 1, and 254 of each of them.
      const shares = weights.map((weight) => round(weight * 255 * 254) / 254);
      for (const [d, { largest, codes: of }] of values.entries()) {
        const mixed = shares.reduce((all, share, s) => all + share * (of[s] as number), 0);
        answer[start + d] = (mixed * largest) / 255 / 127 / sum;
      }
    }
  }
  return answer;
}

describe("attention to whole numbers", () => {
  it("is what rounding makes of exact attention, and the same with signed and unsigned numbers", async () => {
    const feeds = feedsOf();
    const found = await rounded(feeds, "uint8");
    expect(relativeError(reference(feeds), found)).toBeLessThan(0.001);
    expect(relativeError(await exact(feeds), found)).toBeLessThan(0.02);
    expect(relativeError(await exact(feeds), found)).toBeGreaterThan(0.0005);
    for (const type of await types()) expect(await rounded(feeds, type)).toEqual(found);
  });

  it.each([1, 3, 16, 17, 33])("has the largest of %d tokens for its scale", async (tokens) => {
    for (const documents of [1, 2]) {
      const shape = [documents, heads, tokens, width];
      const x = numbers(tokens, ...shape);
      const g = new GraphBuilder();
      const of = g.input("x", "float32", ["documents", heads, "source", width]);
      const { largest } = quantizeMemory(g, of, { dtype: "int8" });
      const options = { device: "cpu", threads: 1 } as const;
      const session = await openSession(g.finish([g.output("y", largest)]), new Map(), options);
      const { y } = await session.run({ x });
      await session.close();
      const most = new Float32Array(documents * heads * width);
      for (const [i, each] of x.data.entries()) {
        const at = Math.floor(i / (tokens * width)) * width + (i % width);
        most[at] = Math.max(most[at] as number, Math.abs(each));
      }
      expect(y?.data).toEqual(most);
      expect(y?.shape).toEqual([documents, heads, 1, width]);
    }
  });

  it("counts the many that have little weight beside one that has half of it", async () => {
    const many = 600;
    const q = numbers(1, batch, heads, rows, width).data.map((x) => 1 + x / 100);
    const keys = numbers(2, batch, heads, many, width).data.map((x) => x / 100);
    // Half of the weight: the logarithm of 600, over a scale of 16 times 0.25.
    for (let at = 0; at < keys.length; at += many * width)
      keys.fill(Math.log(many) / 4, at, at + width);
    const values = numbers(3, batch, heads, many, width).data.map((x) => x + 1);
    for (let at = 0; at < values.length; at += many * width) values.fill(0.01, at, at + width);
    const feeds = {
      q: float32(q, [batch, heads, rows, width]),
      k: float32(keys, [batch, heads, many, width]),
      v: float32(values, [batch, heads, many, width]),
      mask: float32(new Float32Array(batch * many), [batch, 1, 1, many]),
    };
    const expected = await exact(feeds);
    expect(Math.min(...expected)).toBeGreaterThan(0.3);
    for (const type of await types()) {
      expect(relativeError(expected, await rounded(feeds, type))).toBeLessThan(0.01);
    }
  });

  it("has a scale for each place of a vector, so that large ones cost the others nothing", async () => {
    const feeds = feedsOf();
    for (const name of ["k", "v"]) {
      const { data, shape } = feeds[name] as Tensor<"float32">;
      const large = name === "v" ? 1000 : 20;
      // Queries look at a key's large place so much less.
      feeds[name] = float32(
        data.map((x, i) => (i % width === 3 ? x * large : x)),
        shape,
      );
    }
    const q = feeds.q as Tensor<"float32">;
    feeds.q = float32(
      q.data.map((x, i) => (i % width === 3 ? x / 20 : x)),
      q.shape,
    );
    const plain = feedsOf();
    const [of, ofPlain] = [await rounded(feeds, "uint8"), await rounded(plain, "uint8")];
    const others = (all: Float32Array) => all.filter((_, i) => i % width !== 3);
    expect(relativeError(others(ofPlain), others(of))).toBeLessThan(0.02);
  });

  it("answers zeros for queries, keys and values that are zero", async () => {
    const feeds = feedsOf();
    for (const name of ["q", "k", "v"]) {
      const { data, shape } = feeds[name] as Tensor<"float32">;
      feeds[name] = float32(new Float32Array(data.length), shape);
    }
    expect([...(await rounded(feeds, "uint8"))].every((x) => x === 0)).toBe(true);
    feeds.v = feedsOf().v as Tensor<"float32">;
    expect(relativeError(await exact(feeds), await rounded(feeds, "uint8"))).toBeLessThan(0.01);
  });
});

describe("cross-attention as it is measured", () => {
  const vocabSize = 40;
  const config = { vocabSize, decoderStartTokenId: 0, decoderLayers: 2 } as ModelConfig;

  /** Errors of two attentions, the second of which reads a table where one token has a value of so much. */
  async function errorsWith(
    large: number,
    documents: readonly (readonly number[])[] = [[3, 9, 5, 17, 30, 22, 8, 1]],
  ): Promise<Map<string, number>> {
    const g = new GraphBuilder();
    const ids = g.input("ids", "int64", ["batch", "source"]);
    const decoderIds = g.input("decoderIds", "int64", ["batch", "target"]);
    const mask = g.input("mask", "float32", ["batch", 1, 1, "source"]);
    // What graphs are fed besides.
    for (const name of ["positions", "decoderPositions"])
      g.input(name, "int64", [name === "positions" ? "source" : "target"]);
    g.input("decoderMask", "float32", [1, 1, "target", "target"]);
    const split = (x: Value) => transpose(g, reshape(g, x, [0, 0, 2, width / 2]), [0, 2, 1, 3]);
    const table = (name: string, of: Value) =>
      split(gather(g, g.parameter(name, [vocabSize, width]), of));
    const outputs = ["plain", "outlying"].map((name) => {
      const [q, k, v] = [table("q", decoderIds), table("k", ids), table(name, ids)];
      return g.output(`of ${name}`, attention(g, { q, k, v, mask, scale }));
    });
    const outlying = numbers(7, vocabSize, width);
    outlying.data[5 * width + 2] = large;
    // Nobody looks at the token that has it: its key is far from every query.
    const keys = numbers(5, vocabSize, width);
    const queries = numbers(4, vocabSize, width);
    for (const [i, query] of queries.data.entries()) queries.data[i] = 2 + query / 2;
    keys.data.fill(-4, 5 * width, 6 * width);
    const weights = new Map<string, Tensor>([
      ["q", queries],
      ["k", keys],
      ["plain", numbers(6, vocabSize, width)],
      ["outlying", outlying],
    ]);
    const nothing = {
      plan: new Map(),
      weights: new Map(),
      product: "uint8",
      exactMemory: new Set<string>(),
    } as const;
    return measureLayers(
      config,
      g.finish(outputs),
      weights,
      nothing,
      ["first", "second"],
      documents,
      {
        threads: 1,
      },
    );
  }

  it("suffers where one token's value leaves none of the steps to the others, and is left alone then", async () => {
    const plain = await errorsWith(1);
    expect([...plain.keys()]).toEqual(["first", "second"]);
    for (const error of plain.values()) {
      expect(error).toBeGreaterThan(0.0005);
      expect(error).toBeLessThan(0.03);
    }
    expect(layersAbove(plain, mostError.int8)).toEqual(new Set());
    const suffering = await errorsWith(2000);
    expect(suffering.get("first")).toBe(plain.get("first"));
    expect(layersAbove(suffering, mostError.int8)).toEqual(new Set(["second"]));
  });

  it("suffers where documents that do not come to be one that does", async () => {
    const others = [3, 9, 17, 30, 22, 8, 1];
    for (const each of [others, [5]]) {
      expect(layersAbove(await errorsWith(2000, [each]), mostError.int8)).toEqual(new Set());
    }
    const together = await errorsWith(2000, [others, [5]]);
    expect(layersAbove(together, mostError.int8)).toEqual(new Set(["second"]));
  });
});
