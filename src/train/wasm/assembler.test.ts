// Tests how numbers and modules are encoded, with a module that runs.
import fc from "fast-check";
import { expect, it } from "vitest";
import { assembleModule, defineFunction, signed, unsigned } from "./assembler.js";
import { countDown, f32, f64, i32 } from "./instructions.js";
import { compileModule, createMemory, instantiate } from "./web-assembly.js";

it.each([
  [0, [0x00]],
  [127, [0x7f]],
  [128, [0x80, 0x01]],
  [624485, [0xe5, 0x8e, 0x26]],
  [65_536, [0x80, 0x80, 0x04]],
])("writes %i unsigned", (value, bytes) => {
  expect(unsigned(value)).toEqual(bytes);
});

it.each([
  [0, [0x00]],
  [63, [0x3f]],
  [64, [0xc0, 0x00]],
  [-64, [0x40]],
  [-123456, [0xc0, 0xbb, 0x78]],
])("writes %i signed", (value, bytes) => {
  expect(signed(value)).toEqual(bytes);
});

it("gives constants back as they were, the largest words included", () => {
  fc.assert(
    fc.property(fc.integer(), fc.double(), (whole, real) => {
      const module = assembleModule([
        defineFunction("whole", { i32: [] }, () => ({ body: [], result: i32.const(whole) })),
        defineFunction("word", { i32: [] }, () => ({ body: [], result: i32.const(whole >>> 0) })),
        defineFunction("real", { i32: [] }, () => ({ body: [], result: f64.const(real) })),
      ]);
      const run = instantiate(compileModule(module), createMemory(1));
      expect([run.whole?.(), run.word?.(), run.real?.()]).toEqual([whole, whole, real]);
    }),
    { numRuns: 30 },
  );
});

it("passes integers first, then floats, and repeats a body while enough is left", () => {
  const power = defineFunction("power", { i32: ["count"], f32: ["base"] }, (given, declare) => {
    const result = declare("f32");
    return {
      body: [
        result.set(f32.const(1)),
        countDown(given.count, { step: 2, least: 2 }, [result.set(f32.mul(result, given.base))]),
      ],
      result,
    };
  });
  const run = instantiate(compileModule(assembleModule([power])), createMemory(1));
  expect([0, 1, 2, 3, 4, 9].map((count) => run.power?.(count, 3))).toEqual([1, 1, 3, 3, 9, 81]);
});
