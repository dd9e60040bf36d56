// Constraints as text: what they come to, and what each mistake is told.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readConstraint } from "./constraint-expression.js";
import { createConstraints } from "./constraints.js";

const values = { a: 2, "train.rate": 0.01, "train.optimizer.name": "adamw", on: true };
const holds = (text: string) =>
  readConstraint(text, (key) => Object.hasOwn(values, key)).holds(values);

describe("a constraint", () => {
  it.each([
    ["a * 3 == 6", true],
    ["train.rate <= 1e-2", true],
    ["train.rate*100 > a", false],
    ["2 + 3 * 4 - 1 == 13 and 7 % 4 == 3", true],
    ["2 ** 3 ** 2 == 512", true],
    ["-a ** 2 == 4", true],
    ["(a + 1) / 2 < 1.5", false],
    ["train.optimizer.name == 'adamw'", true],
    ['train.optimizer.name in ["sgd", "adafactor"]', false],
    ["a not in [1, 3]", true],
    ["on and not a > 3", true],
    ["on == true || a < 0", true],
    ["!(a >= 2 && a != 2)", true],
    ["a < 1 or a == 2 and on", true],
    ["null == false", false],
    ["+.5e1 == 5", true],
  ])("%s is %s", (text, expected) => {
    expect(holds(text)).toBe(expected);
  });

  it.each([
    ["", "it ends too early"],
    ["a <", "it ends too early"],
    ["a < 1 2", "2 at 7 does not go there"],
    ["b < 1", "b is neither a key of the space nor set"],
    ["a + 1", "3 is neither true nor false"],
    ["train.optimizer.name < 3", '"adamw" is no number'],
    ["a in 3", "what stands behind `in` is no list"],
    ["a; process.exit()", '";" at 2 is no part of it'],
    ["constructor == 1", "constructor is neither a key"],
    ["__proto__ == 1", "__proto__ is neither a key"],
    [`${"(".repeat(100)}a${")".repeat(100)} > 1`, "nested too deeply"],
    [`a${" ** a".repeat(100)} > 1`, "nested too deeply"],
  ])("%s is refused: %s", (text, told) => {
    expect(() => holds(text)).toThrow(told);
    expect(() => holds(text)).toThrow(
      expect.objectContaining({ code: "SWEEP_CONSTRAINT_INVALID" }),
    );
  });

  it("of any text comes to an answer or to its own error", () => {
    const piece = fc.constantFrom(
      ..."a on 1 .5 ( ) [ ] , + - * / ** < == not in and or ! 'x".split(" "),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          expect(typeof holds(pieces.join(" "))).toBe("boolean");
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: "SWEEP_CONSTRAINT_INVALID" });
        }
      }),
    );
  });
});

describe("constraints together", () => {
  const allows = createConstraints(
    [
      "a * fixed <= 8",
      { forbid: { a: { min: 3 }, kind: ["x", "y"] } },
      { forbid: { a: 1, kind: "z" } },
    ],
    ["a", "kind"],
    { fixed: 2 },
  );

  it("hold one and all, with the values that are not tried", () => {
    expect(allows({ a: 5, kind: "z" })).toBe(false);
    expect(allows({ a: 4, kind: "z" })).toBe(true);
    expect(allows({ a: 4, kind: "y" })).toBe(false);
    expect(allows({ a: 2, kind: "y" })).toBe(true);
    expect(allows({ a: 1, kind: "z" })).toBe(false);
  });

  it("name keys that there are, and ranges of numbers", () => {
    expect(() => createConstraints([{ forbid: { b: 1 } }], ["a"])).toThrow("b is neither");
    expect(() => createConstraints([{ forbid: { a: { min: "x" } } }], ["a"])).toThrow(
      "a range has min, max or both",
    );
  });
});
