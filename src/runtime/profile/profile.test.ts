// Profiles of a small graph: what is counted, what nests in what, and what is made of it.
import { existsSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { GraphBuilder } from "../../graph/index.js";
import { openSession } from "../session.js";
import { float32, type Tensor } from "../tensor.js";
import { readOperatorCall } from "./operator-call.js";
import { summarize } from "./profile.js";
import { Profiler, type SessionTimes, timed } from "./profiler.js";
import { measureRoofs } from "./roofline.js";
import { traceLines } from "./trace.js";

const profilers: Profiler[] = [];
afterEach(async () => {
  for (const profiler of profilers.splice(0)) await profiler.remove();
});

async function newProfiler(): Promise<Profiler> {
  const profiler = await Profiler.create();
  profilers.push(profiler);
  return profiler;
}

const ones = (shape: number[]) =>
  float32(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape);

/** Three runs of relu(x·w), the first before `begin`. */
async function profileProduct(profiler: Profiler) {
  const g = new GraphBuilder();
  const [product] = g.apply("matmul", [
    g.input("x", "float32", ["rows", 64]),
    g.parameter("w", [64, 32]),
  ]);
  const [y] = g.apply("relu", [product!]);
  const weights = new Map<string, Tensor>([["w", ones([64, 32])]]);
  const graph = g.finish([g.output("y", y!)]);
  const session = await openSession(graph, weights, { threads: 1, profiler, label: "product" });
  for (const rows of [1, 8, 4]) {
    if (rows === 8) profiler.begin();
    await profiler.span("whole", async () => {
      timed(profiler, "before", () => ones([1000]));
      await session.run({ x: ones([rows, 64]) });
    });
  }
  await session.close();
  return profiler.sessions();
}

describe("a profiler", () => {
  it("tells each operator of each run since it began, with shapes, work and bytes", async () => {
    const profiler = await newProfiler();
    const [times, ...others] = await profileProduct(profiler);
    expect(others).toEqual([]);
    expect(times).toMatchObject({ label: "product", isCut: false });
    const calls = times!.runs.map((run) => run.calls);
    expect(calls.map((each) => each.map(({ op }) => op))).toEqual([
      ["MatMul", "Relu"],
      ["MatMul", "Relu"],
    ]);
    expect(calls[0]![0]).toMatchObject({
      shapes: "[8,64] [64,32] → [8,32]",
      flops: 2 * 8 * 64 * 32,
      bytes: 4 * (8 * 64 + 64 * 32 + 8 * 32),
      provider: "CPU",
      isWhole: false,
    });
    expect(calls[1]![1]).toMatchObject({ shapes: "[4,32] → [4,32]", flops: 0 });
    expect(profiler.spans.map(({ name }) => name)).toEqual(["before", "whole", "before", "whole"]);
  });

  it("leaves nothing behind, and tells what was thrown as well", async () => {
    const profiler = await newProfiler();
    const { prefix } = profiler.watch("x");
    expect(() => timed(profiler, "bad", () => JSON.parse("{"))).toThrow(SyntaxError);
    await expect(timed(profiler, "worse", () => Promise.reject(new Error("no")))).rejects.toThrow(
      "no",
    );
    expect(profiler.spans.map(({ name }) => name)).toEqual(["bad", "worse"]);
    expect(await profiler.sessions()).toEqual([]);
    await profiler.remove();
    expect(existsSync(prefix.slice(0, prefix.lastIndexOf("/")))).toBe(false);
  });
});

describe("a trace", () => {
  it("is JSON in which operators stand within their run, and runs within their span", async () => {
    const profiler = await newProfiler();
    const sessions = await profileProduct(profiler);
    const text = [...traceLines("test", profiler.spans, sessions)].join("");
    const { traceEvents } = JSON.parse(text) as { traceEvents: Record<string, unknown>[] };
    const complete = traceEvents.filter(({ ph }) => ph === "X") as unknown as {
      name: string;
      cat: string;
      ts: number;
      dur: number;
    }[];
    expect(complete.map(({ cat }) => cat).sort()).toEqual(
      ["operator", "phase", "run"].flatMap((cat) => Array(cat === "run" ? 2 : 4).fill(cat)),
    );
    // Read in order, each begins and ends within whatever is still open.
    const open: { until: number; cat: string }[] = [];
    for (const { ts, dur, cat } of complete) {
      while (open.length > 0 && open.at(-1)!.until <= ts && cat !== "operator") open.pop();
      while (open.at(-1)?.cat === "operator") open.pop();
      const around = open.at(-1);
      if (around !== undefined) expect(ts + dur).toBeLessThanOrEqual(around.until);
      if (cat === "operator") expect(around?.cat).toBe("run");
      if (cat === "run") expect(around?.cat).toBe("phase");
      open.push({ until: ts + dur, cat });
    }
  });
});

const call = (op: string, shapes: [number[], number[]], ms: number, bytes = 0) => {
  const [a, out] = shapes;
  const event = { cat: "Node", name: `${op}_0_kernel_time`, ts: 0, dur: 1000 * ms };
  const args = {
    ...{ op_name: op, input_type_shape: [{ float: a }], output_type_shape: [{ float: out }] },
    ...{ output_size: String(bytes), provider: "CPUExecutionProvider" },
  };
  return readOperatorCall({ ...event, args })!;
};

describe("the work of a product", () => {
  it.each([
    ["MatMul", [2, 3, 5], [2, 3, 7], 2 * 2 * 3 * 7 * 5],
    ["MatMul of one matrix by a batch", [3, 5], [4, 3, 7], 2 * 4 * 3 * 7 * 5],
    ["FusedMatMul, turned around", [2, 5, 3], [2, 3, 7], 2 * 2 * 3 * 7 * 5],
    ["Gemm", [3, 5], [3, 7], 2 * 3 * 7 * 5],
  ])("%s", (name, a, out, flops) => {
    expect(call(name.split(/[ ,]/)[0]!, [a, out], 1).flops).toBe(flops);
  });

  it("is that of both products where attention is one operator, and nothing where another tells of it", () => {
    const args = {
      op_name: "MultiHeadAttention",
      input_type_shape: [{ float: [2, 3, 8] }, { float: [2, 5, 8] }, { float: [2, 5, 8] }],
    };
    const event = { cat: "Node", name: "attention_kernel_time", ts: 0, dur: 1 };
    expect(readOperatorCall({ ...event, args })?.flops).toBe(2 * 2 * (2 * 3 * 5) * 8);
    expect(readOperatorCall({ ...event, args: { ...args, op_name: "If" } })).toBeUndefined();
  });

  it("reads a weight that onnxruntime has laid out anew and tells no shape of", () => {
    expect(
      call(
        "MatMul",
        [
          [3, 5],
          [3, 7],
        ],
        1,
        84,
      ).bytes,
    ).toBe(84 + 4 * 5 * 7);
    expect(
      call(
        "MatMulInteger",
        [
          [3, 5],
          [3, 7],
        ],
        1,
        84,
      ).bytes,
    ).toBe(84 + 5 * 7);
    expect(
      call(
        "Transpose",
        [
          [3, 5],
          [5, 3],
        ],
        1,
        60,
      ).bytes,
    ).toBe(60);
  });

  it("is none of what only moves numbers", () => {
    expect(
      call(
        "Transpose",
        [
          [3, 5],
          [5, 3],
        ],
        1,
      ).flops,
    ).toBe(0);
    expect(
      readOperatorCall({ cat: "Session", name: "model_run", ts: 0, dur: 1, args: {} }),
    ).toBeUndefined();
  });
});

describe("what is made of it", () => {
  const run = (calls: SessionTimes["runs"][number]["calls"], endedMs: number) => ({
    ...{ name: "g", beganMs: 0, endedMs, calls },
  });
  const roofs = { flops: 1e9, bytes: 1e9 };
  const of = (calls: SessionTimes["runs"][number]["calls"], runMs: number, wholeMs: number) =>
    summarize({
      ...{ unit: "step", rest: "rest", roofs },
      whole: [{ name: "step", beganMs: 0, endedMs: wholeMs }],
      parts: [{ name: "optimizer", beganMs: runMs, endedMs: runMs + 20 }],
      sessions: [{ label: "g", runs: [run(calls, runMs)], isCut: false }],
    });

  it("adds up to the whole, and names the lower roof", () => {
    // 10 million flops at 1 GFLOP/s need 10 ms; 30 MB at 1 GB/s, 0.4 of them the weight's, need 30 ms.
    const product = call(
      "MatMul",
      [
        [50, 1000],
        [50, 100],
      ],
      20,
      0,
    );
    const wait = call(
      "MatMul",
      [
        [1, 1000],
        [1, 100],
      ],
      40,
      30e6 - 4e5,
    );
    const { phases, operators, hottest, hints } = of([product, wait], 70, 100);
    expect(Object.fromEntries(phases.map(({ phase, ms }) => [phase, ms]))).toEqual({
      ...{ g: 70, optimizer: 20, rest: 10 },
    });
    expect(phases.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(operators).toMatchObject([{ op: "MatMul", calls: 2, ms: 60, boundBy: "memory" }]);
    expect(hottest).toMatchObject([
      { ms: 40, boundBy: "memory", ofRoof: 0.75, gigabytesPerSecond: 0.75 },
      { ms: 20, boundBy: "compute", ofRoof: 0.5, gflopsPerSecond: 0.5 },
    ]);
    expect(hints.join("\n")).toContain("wait for memory");
    expect(hints.join("\n")).toContain("optimizer: 20 %");
  });

  it("tells of numbers moved about and of time between operators", () => {
    const { hints } = of(
      [
        call(
          "Transpose",
          [
            [3, 5],
            [5, 3],
          ],
          20,
        ),
      ],
      60,
      100,
    );
    expect(hints.join("\n")).toContain("g: 20 % of the time moves numbers about (Transpose)");
    expect(hints.join("\n")).toContain("g: 40 % of the time is between operators");
    const busy = of(
      [
        call(
          "MatMul",
          [
            [50, 1000],
            [50, 100],
          ],
          95,
        ),
      ],
      97,
      120,
    ).hints;
    expect(busy.join("\n")).toContain("less than half of what this machine multiplies");
    expect(busy.join("\n")).not.toContain("between operators");
  });
});

it("measures roofs that a processor can have", async () => {
  const { flops, bytes, wholeFlops } = await measureRoofs({ threads: 1 }, { whole: true });
  for (const roof of [flops, bytes, wholeFlops!]) {
    expect(roof).toBeGreaterThan(1e8);
    expect(roof).toBeLessThan(1e14);
  }
});
