// What a graph refuses, what it keeps, and that it needs nothing but itself.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  add,
  attention,
  cachedAttention,
  cast,
  concat,
  decodeModel,
  encodeModel,
  type Graph,
  GraphBuilder,
  gather,
  layerNorm,
  linear,
  lower,
  matmul,
  mul,
  relu,
  reshape,
  rewriteGraph,
  scale,
  slice,
  topK,
  transpose,
  verify,
  withoutBiases,
} from "./index.js";

function build(): Graph {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["batch", 4]);
  const y = relu(g, linear(g, x, g.parameter("w", [3, 4]), g.parameter("b", [3])));
  return g.finish([g.output("y", y)]);
}

describe("shape rules", () => {
  const g = new GraphBuilder();
  const float = (name: string, shape: (number | string)[]) => g.input(name, "float32", shape);
  const ids = g.input("ids", "int64", ["batch", "time"]);
  const x = float("x", ["batch", "time", 8]);

  it.each([
    ["linear", linear(g, x, g.parameter("w", [5, 8])).shape, ["batch", "time", 5]],
    ["gather", gather(g, g.parameter("table", [10, 8]), ids).shape, ["batch", "time", 8]],
    ["reshape copying", reshape(g, x, [0, 0, 2, 4]).shape, ["batch", "time", 2, 4]],
    ["reshape joining", reshape(g, x, [-1, 8]).shape, ["batch*time", 8]],
    ["transpose", transpose(g, x, [2, 0, 1]).shape, [8, "batch", "time"]],
    ["broadcast", add(g, x, float("bias", [8])).shape, ["batch", "time", 8]],
    [
      "concat",
      concat(g, [x, float("more", ["batch", "past", 8])], 1).shape,
      ["batch", "time+past", 8],
    ],
    ["matmul", matmul(g, x, float("m", ["batch", 8, 2])).shape, ["batch", "time", 2]],
    ["slice", slice(g, x, -1, 2, 5).shape, ["batch", "time", 3]],
    ["topK", topK(g, x, 3).indices.shape, ["batch", "time", 3]],
    ["cast", cast(g, ids, "float32").shape, ["batch", "time"]],
  ])("%s", (_, actual, expected) => expect(actual).toEqual(expected));

  it.each([
    ["linear", () => linear(g, x, g.parameter("w9", [5, 9])), /linear: the last axis/],
    ["bias", () => linear(g, x, g.parameter("w8", [5, 8]), g.parameter("b4", [4])), /bias/],
    ["add", () => add(g, x, float("bias9", [9])), /do not broadcast/],
    ["named sizes", () => add(g, x, float("other", ["rows", "time", 8])), /do not broadcast/],
    ["dtypes", () => mul(g, x, cast(g, x, "float16")), /dtypes differ/],
    ["reshape", () => reshape(g, x, [0, 0, 3, 3, 0]), /does not have/],
    ["reshape count", () => reshape(g, float("known", [4, 4]), [3, 5]), /as many elements/],
    ["transpose", () => transpose(g, x, [0, 0, 1]), /no permutation/],
    ["concat", () => concat(g, [x, float("wide", ["batch", "past", 9])], 1), /differ off axis/],
    ["gather", () => gather(g, x, x), /whole numbers/],
    ["slice", () => slice(g, x, 2, 4, 9), /not inside/],
    ["topK", () => topK(g, x, 9), /k is 9/],
    [
      "layerNorm",
      () => layerNorm(g, x, g.parameter("g7", [7]), g.parameter("s7", [7])),
      /last axis/,
    ],
    [
      "attention",
      () => {
        const q = float("q", ["b", 2, "t", 4]);
        const k = float("k", ["b", 2, "s", 5]);
        return attention(g, { q, k, v: k, scale: 1 });
      },
      /q and k differ in D: float32\[b,2,t,4\], float32\[b,2,s,5\]/,
    ],
    [
      "cachedAttention",
      () => {
        const [q, k] = [float("row", ["b", 2, "t", 4]), float("held", ["b", 2, "s", 4])];
        return cachedAttention(g, { q, k, v: k, own: { k, v: k }, scale: 1 });
      },
      /each row has a key and a value/,
    ],
  ])("%s refuses what does not fit", (_, apply, message) => expect(apply).toThrow(message));
});

describe("a graph", () => {
  it("keeps only what its outputs need", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [2]);
    const unused = g.input("unused", "float32", [2]);
    scale(g, unused, 2);
    mul(g, x, g.parameter("dead", [2]));
    const graph = g.finish([g.output("y", relu(g, x))]);
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(graph.parameters).toEqual([]);
    expect(graph.nodes.map(({ op }) => op)).toEqual(["relu", "identity"]);
  });

  it("gives a parameter once, and refuses it in another shape", () => {
    const g = new GraphBuilder();
    expect(g.parameter("w", [2, 3])).toBe(g.parameter("w", [2, 3]));
    expect(() => g.parameter("w", [3, 2])).toThrow(/used as \[2,3\] and as \[3,2\]/);
  });

  it("refuses two values of one name, unknown ops and constants that do not fill their shape", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [2]);
    expect(() => g.input("x", "float32", [2])).toThrow(/two values are named x/);
    expect(() => g.apply("frobnicate", [x])).toThrow(/no op named frobnicate/);
    expect(() => g.constant(new Float32Array(3), "float32", [2])).toThrow(
      /3 elements do not fill \[2\]/,
    );
  });
});

describe("verify", () => {
  it("passes a graph as built", () => expect(() => verify(build())).not.toThrow());

  it.each<[string, (graph: Graph) => Graph, RegExp]>([
    ["a node out of order", (g) => ({ ...g, nodes: g.nodes.toReversed() }), /before it is made/],
    ["a missing parameter", (g) => ({ ...g, parameters: [] }), /uses w before it is made/],
    ["a node twice", (g) => ({ ...g, nodes: [...g.nodes, g.nodes[0]!] }), /a second time/],
    [
      "an unknown op",
      (g) => ({ ...g, nodes: [{ ...g.nodes[0]!, op: "nope" }, ...g.nodes.slice(1)] }),
      /no op of the table/,
    ],
    ["no output", (g) => ({ ...g, outputs: [] }), /no output/],
    [
      "an output from nowhere",
      (g) => ({ ...g, outputs: [{ name: "z", dtype: "float32", shape: [1] }] }),
      /made by no node/,
    ],
    [
      "a type the op does not make",
      (g) => {
        const [first, ...rest] = g.nodes;
        const wrong = { ...first!.outputs[0]!, shape: ["batch", 7] };
        return { ...g, nodes: [{ ...first!, outputs: [wrong] }, ...rest] };
      },
      /declared float32\[batch,7\]/,
    ],
  ])("refuses %s", (_, spoil, message) => expect(() => verify(spoil(build()))).toThrow(message));
});

describe("ONNX bytes", () => {
  it("come back as the model they were written from", () => {
    const model = lower(build(), {
      findParameter: ({ name }) =>
        name === "w" ? { location: "w.bin", offset: 4096, length: 48 } : undefined,
    });
    expect(model.inputs.map(({ name }) => name)).toEqual(["x", "b"]);
    expect(decodeModel(encodeModel(model))).toEqual(model);
  });

  it("carry places past 4 GB, and refuse weights inside that pass 2 GB", () => {
    const place = { location: "big.bin", offset: 5 * 2 ** 30, length: 48 };
    const far = lower(build(), { findParameter: ({ name }) => (name === "w" ? place : undefined) });
    expect(decodeModel(encodeModel(far)).initializers[0]?.data).toEqual(place);
    const inside = { ...far.initializers[0]!, data: { byteLength: 2 ** 31 } as Float32Array };
    expect(() => encodeModel({ ...far, initializers: [inside] })).toThrow(
      /2147483648 bytes of initializers do not fit one protobuf message/,
    );
  });

  it("hold each use of a weight by itself where that is asked for", () => {
    const g = new GraphBuilder();
    const table = g.parameter("table", [5, 4]);
    const rows = gather(g, table, g.input("ids", "int64", ["n"]));
    const graph = g.finish([g.output("y", linear(g, rows, table))]);
    const data = { location: "w.bin", offset: 64, length: 80 };
    const lowered = (separateUses: boolean) =>
      lower(graph, { separateUses, findParameter: () => data });
    expect(lowered(false).initializers.map(({ name }) => name)).toEqual(["table"]);
    const { initializers, nodes } = lowered(true);
    expect(initializers.map((one) => [one.name, one.data])).toEqual([
      ["table", data],
      ["table~2", data],
    ]);
    const uses = nodes.flatMap(({ inputs }) => inputs).filter((name) => name.startsWith("table"));
    expect(uses.sort()).toEqual(["table", "table~2"]);
  });

  it("leave out the biases that are named, and no other", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [1, 8]);
    const of = (name: string) => linear(g, x, g.parameter("w", [5, 8]), g.parameter(name, [5]));
    const graph = g.finish([g.output("kept", of("b")), g.output("left", of("zeros"))]);
    const { parameters } = rewriteGraph(graph, withoutBiases(new Set(["zeros"])));
    expect(parameters.map(({ name }) => name)).toEqual(["w", "b"]);
  });

  it("make what is only given another name under that name, for those too who read it inside", () => {
    const g = new GraphBuilder();
    const past = g.input("past", "float32", [4, 2]);
    const next = g.output("next", add(g, past, g.input("fresh", "float32", [1, 2])));
    const same = g.output("same", past);
    const twice = g.output("twice", next);
    const graph = g.finish([next, g.output("y", relu(g, next)), same, twice]);
    const told = lower(graph).nodes.map(({ opType, inputs, outputs }) => [opType, inputs, outputs]);
    expect(told).toEqual([
      ["Add", ["past", "fresh"], ["next"]],
      ["Identity", ["past"], ["same"]],
      ["Identity", ["next"], ["twice"]],
      ["Relu", ["next"], ["y"]],
    ]);
    const trained = lower(graph, { target: "training" }).nodes.filter(
      ({ opType }) => opType === "Identity",
    );
    expect(trained).toHaveLength(4);
  });

  it("refuse damage by name", () => {
    const bytes = encodeModel(lower(build()));
    expect(() => decodeModel(bytes.subarray(0, bytes.length - 3))).toThrow(/cut off/);
    expect(() =>
      decodeModel(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
    ).toThrow(/protobuf/);
  });
});

const compiled = fileURLToPath(new URL("../../dist/", import.meta.url));

it.runIf(existsSync(join(compiled, "graph")))("loads with no node_modules", () => {
  const folder = mkdtempSync(join(tmpdir(), "bridle-graph-"));
  try {
    for (const room of ["graph", "errors"])
      cpSync(join(compiled, room), join(folder, room), { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    writeFileSync(
      join(folder, "use.js"),
      'import { GraphBuilder, relu, lower, encodeModel } from "./graph/index.js";\nconst g = new GraphBuilder();\nconst y = g.output("y", relu(g, g.input("x", "float32", [2])));\nconsole.log(encodeModel(lower(g.finish([y]))).length > 20);\n',
    );
    expect(
      execFileSync(process.execPath, ["use.js"], { cwd: folder, encoding: "utf8" }).trim(),
    ).toBe("true");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
