// Tests that JSON is read and refused as Python's reader does it, message and position included.
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { findJsonFault, formatPythonFloat, readPythonJson } from "./python-json.js";

it("reads whatever is JSON, and writes it back with the same meaning", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const reading = readPythonJson(Buffer.from(text));
      if (!reading || !("value" in reading)) throw new Error(`not read: ${text}`);
      expect(JSON.parse(reading.value.json)).toEqual(JSON.parse(text));
    }),
  );
});

it("finds a fault exactly where JSON.parse does not read", () => {
  const pieces = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    "1",
    "-",
    "0",
    ".5",
    "e1",
    "null",
    "NaN",
    " ",
    '"',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (some) => {
      const text = some.join("");
      let reads = true;
      try {
        JSON.parse(text);
      } catch {
        reads = false;
      }
      expect(findJsonFault(text) === undefined, text).toBe(reads);
    }),
    { numRuns: 3000 },
  );
});

it("writes back what is nested, with keys that stand twice and nothing in them", () => {
  const text = '{"a": [1, {"b": [], "c": {}}, "x"], "d": {"e": NaN}, "a": [[-0, 1e400], 2.50]}';
  const reading = readPythonJson(Buffer.from(text));
  expect(reading).toMatchObject({ value: { json: '{"a":[[0,null],2.5],"d":{"e":null}}' } });
});

it("does not copy a text at every level that it is nested at", () => {
  const text = "x".repeat(8_000_000);
  const nested = `${'[0,{"b":0,"a":'.repeat(470)}"${text}"${"}]".repeat(470)}`;
  const { join } = Array.prototype;
  let joined = 0;
  const spy = vi.spyOn(Array.prototype, "join").mockImplementation(function (
    this: unknown[],
    between,
  ) {
    const whole = join.call(this, between);
    joined += whole.length;
    return whole;
  });
  const reading = readPythonJson(Buffer.from(nested));
  const json = reading && "value" in reading ? reading.value.json : "";
  spy.mockRestore();
  expect(json === nested).toBe(true);
  expect(joined).toBeGreaterThan(text.length);
  expect(joined).toBeLessThan(3 * nested.length);
});

it.each([
  [0.1, "0.1"],
  [1, "1.0"],
  [-0, "-0.0"],
  [1e15, "1000000000000000.0"],
  [1e16, "1e+16"],
  [1.5e300, "1.5e+300"],
  [0.0001, "0.0001"],
  [0.00001, "1e-05"],
  [5e-324, "5e-324"],
  [123456789012345680, "1.2345678901234568e+17"],
])("writes the float %d as Python does: %s", (value, text) => {
  expect(formatPythonFloat(value)).toBe(text);
});
