// Tests each kernel against plain TypeScript, bit for bit, on arrays of every length and alignment.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { philox4x32, reference } from "../../../test/support/kernel-reference.js";
import { allocateTensors, homeOf } from "../tensor-memory.js";

const most = 90;
const names = ["a", "b", "c", "d"] as const;
const memory = allocateTensors([
  {
    name: "x",
    parts: Object.fromEntries(names.map((name) => [name, [most + 4]])),
    scratchBytes: 8 * 2 * most,
  },
]);
const whole = names.map((name) => memory.tensors(name).get("x")!.data);
const { kernels, buffer, scratchAddress } = homeOf(whole[0]!);

const float = fc.float({ min: Math.fround(-1e3), max: Math.fround(1e3), noNaN: true });
const factor = fc.double({ min: 0.001, max: 2, noNaN: true });
const factors = (count: number) => fc.array(factor, { minLength: count, maxLength: count });

/** Four arrays of one random length, at a random place of the memory so that vectors stand across lines. */
const arrays = fc.record({ count: fc.nat(most), shift: fc.nat(3) }).chain(({ count, shift }) =>
  fc.tuple(
    ...names.map(() =>
      fc.array(float, { minLength: count, maxLength: count }).map((values) => ({
        shift,
        values: Float32Array.from(values),
      })),
    ),
  ),
);

/** Views that hold the values, with something around them that no kernel may touch. */
function place(given: readonly { shift: number; values: Float32Array }[]): Float32Array[] {
  return given.map(({ shift, values }, index) => {
    whole[index]!.fill(7);
    const view = whole[index]!.subarray(shift, shift + values.length);
    view.set(values);
    return view;
  });
}

function expectSurroundingsKept(views: readonly Float32Array[]) {
  for (const [index, view] of views.entries()) {
    const start = (view.byteOffset - whole[index]!.byteOffset) / 4;
    const around = [
      ...whole[index]!.subarray(0, start),
      ...whole[index]!.subarray(start + view.length),
    ];
    expect(new Set(around)).toEqual(new Set([7]));
  }
}

const at = (...views: Float32Array[]) => views.map(({ byteOffset }) => byteOffset);
const bits = (values: Float32Array) => [...new Uint32Array(Float32Array.from(values).buffer)];

function check<T>(more: fc.Arbitrary<T>, body: (views: Float32Array[], more: T) => void) {
  fc.assert(
    fc.property(arrays, more, (given, drawn) => {
      const views = place(given);
      body(views, drawn);
      expectSurroundingsKept(views);
    }),
  );
}

describe("elementwise kernels", () => {
  it("scale", () => {
    check(factor, ([x], a) => {
      const expected = reference.scale(x!, a);
      kernels.scale(...at(x!), x!.length, a);
      expect(bits(x!)).toEqual(bits(expected));
    });
  });

  it("addScaled and moveTowards", () => {
    for (const name of ["addScaled", "moveTowards"] as const) {
      check(factor, ([y, x], a) => {
        const expected = reference[name](y!, x!, a);
        kernels[name](...at(y!, x!), y!.length, a);
        expect(bits(y!)).toEqual(bits(expected));
      });
    }
  });

  it("adamw", () => {
    check(factors(8), ([w, g, m, v], drawn) => {
      for (let i = 0; i < v!.length; i++) v![i] = Math.abs(v![i]!);
      const expected = reference.adamw(w!, g!, m!, v!, drawn);
      kernels.adamw(...at(w!, g!, m!, v!), w!.length, ...drawn);
      expect([w!, m!, v!].map(bits)).toEqual([expected.w, expected.m, expected.v].map(bits));
    });
  });

  it("sgd and sgdMomentum", () => {
    check(factors(7), ([w, g, b], drawn) => {
      const plain = reference.sgd(w!, g!, drawn.slice(0, 3));
      const start = Float32Array.from(w!);
      kernels.sgd(...at(w!, g!), w!.length, ...drawn.slice(0, 3));
      expect(bits(w!)).toEqual(bits(plain));
      w!.set(start);
      const expected = reference.sgdMomentum(w!, g!, b!, drawn);
      kernels.sgdMomentum(...at(w!, g!, b!), w!.length, ...drawn);
      expect([w!, b!].map(bits)).toEqual([expected.w, expected.b].map(bits));
    });
  });

  it("sumSquares, to the rounding of float64 and the same each time", () => {
    check(fc.constant(0), ([x]) => {
      const sum = kernels.sumSquares(...at(x!), x!.length);
      const expected = reference.sumSquares(x!);
      expect(Math.abs(sum - expected)).toBeLessThanOrEqual(1e-14 * expected);
      expect(kernels.sumSquares(...at(x!), x!.length)).toBe(sum);
    });
  });

  it("sumSquares loses nothing beside a large element, and shows NaN and infinity in any place", () => {
    const x = whole[0]!.fill(1e-3);
    x[0] = 1e4;
    expect(kernels.sumSquares(...at(x), x.length)).toBeCloseTo(1e8 + (x.length - 1) * 1e-6, 6);
    for (let i = 0; i < x.length; i++) {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        x.fill(1);
        x[i] = bad;
        expect(Number.isFinite(kernels.sumSquares(...at(x), x.length))).toBe(false);
      }
    }
  });
});

describe("factored kernels", () => {
  const shape = fc.record({
    rows: fc.integer({ min: 1, max: 4 }),
    columns: fc.integer({ min: 1, max: 22 }),
  });
  const matrices = shape.chain(({ rows, columns }) => {
    const count = rows * columns;
    const values = fc.array(float, { minLength: count, maxLength: count });
    return fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      arrays: fc.tuple(values, values, values),
      rowFactors: factors(rows),
      columnFactors: factors(columns),
      drawn: factors(5),
    });
  });

  it("sum squares by row and column in float64", () => {
    fc.assert(
      fc.property(matrices, ({ rows, columns, arrays: [values], drawn: [scale, epsilon] }) => {
        const g = whole[0]!.subarray(0, rows * columns);
        g.set(values);
        const rowSums = new Float64Array(buffer, scratchAddress, rows).fill(0);
        const columnSums = new Float64Array(buffer, scratchAddress + 8 * rows, columns).fill(0);
        kernels.sumRowAndColumnSquares(
          ...[...at(g), rowSums.byteOffset, columnSums.byteOffset, rows, columns],
          ...[scale!, epsilon!],
        );
        const expected = reference.rowAndColumnSquares(g, columns, scale!, epsilon!);
        const near = (got: Float64Array, wanted: Float64Array) =>
          got.forEach((sum, i) => {
            expect(Math.abs(sum - wanted[i]!)).toBeLessThanOrEqual(1e-14 * wanted[i]!);
          });
        near(rowSums, expected.rowSums);
        near(columnSums, expected.columnSums);
      }),
    );
  });

  it("update weights, with and without a running mean", () => {
    fc.assert(
      fc.property(matrices, ({ rows, columns, arrays: given, drawn, ...made }) => {
        const [w, g, m] = given.map((values, index) => {
          const view = whole[index]!.subarray(0, rows * columns);
          view.set(values);
          return view;
        }) as [Float32Array, Float32Array, Float32Array];
        const rowFactors = whole[3]!.subarray(0, rows);
        const columnFactors = whole[3]!.subarray(rows, rows + columns);
        rowFactors.set(made.rowFactors);
        columnFactors.set(made.columnFactors);
        const [scale, stepSize, decay, beta1, fresh] = drawn as [
          ...[number, number, number],
          ...[number, number],
        ];
        const matrix = [...at(g, rowFactors, columnFactors), rows, columns];
        const update = reference.factored(g, rowFactors, columnFactors, scale);

        const squares = reference.sumSquares(update);
        const sum = kernels.factoredSumSquares(...matrix, scale);
        expect(Math.abs(sum - squares)).toBeLessThanOrEqual(1e-14 * squares);

        const moved = reference.factoredUpdate(w, update, stepSize, decay);
        kernels.factoredUpdate(...at(w), ...matrix, scale, stepSize, decay);
        expect(bits(w)).toEqual(bits(moved));

        const later = reference.factoredMomentumUpdate(w, m, update, [
          ...[stepSize, decay, beta1, fresh],
        ]);
        kernels.factoredMomentumUpdate(
          ...[...at(w, m), ...matrix, scale, stepSize, decay, beta1, fresh],
        );
        expect([w, m].map(bits)).toEqual([later.w, later.m].map(bits));
      }),
    );
  });
});

describe("masks", () => {
  it("the plain generator gives the published answers of Philox4x32-10", () => {
    const hex = (words: number[]) =>
      words.map((word) => word.toString(16).padStart(8, "0")).join(" ");
    const ones = 0xffff_ffff;
    expect(hex(philox4x32([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
    expect(hex(philox4x32([ones, ones, ones, ones], [ones, ones]))).toBe(
      "408f276d 41c83b0e a20bc7c6 6d5451fd",
    );
    expect(
      hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
    ).toBe("d16cfe09 94fdcceb 5001e420 24126ea1");
  });

  it("the kernel draws the same", () => {
    const word = fc.nat(0xffff_ffff);
    fc.assert(
      fc.property(
        fc.record({
          groups: fc.nat(5),
          key: fc.tuple(word, word),
          place: fc.tuple(word, word, word),
          threshold: word,
          kept: factor,
        }),
        ({ groups, key, place: spot, threshold, kept }) => {
          whole[0]!.fill(7);
          kernels.fillMask(...at(whole[0]!), groups, ...key, ...spot, threshold, kept);
          const expected = reference.mask(16 * groups, key, spot, threshold, Math.fround(kept));
          expect([...whole[0]!.subarray(0, 16 * groups)]).toEqual([...expected]);
          expect(new Set(whole[0]!.subarray(16 * groups))).toEqual(new Set([7]));
        },
      ),
    );
  });
});
