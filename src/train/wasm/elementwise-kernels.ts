// Kernels that go over arrays once: optimizer updates in place, sums of squares, scaling and mixing.
import { defineFunction } from "./assembler.js";
import { forEachElement } from "./lanes.js";

/** x ← a·x */
export const scale = defineFunction(
  "scale",
  { i32: ["x", "count"], f32: ["a"] },
  ({ x, count, a }, declare) => ({
    body: [
      forEachElement(declare, { count, arrays: { x }, scalars: { a } }, (lanes, at, k) => [
        at.x.store(lanes.mul(at.x.load, k.a)),
      ]),
    ],
  }),
);

/** y ← y + a·x */
export const addScaled = defineFunction(
  "addScaled",
  { i32: ["y", "x", "count"], f32: ["a"] },
  ({ y, x, count, a }, declare) => ({
    body: [
      forEachElement(declare, { count, arrays: { y, x }, scalars: { a } }, (lanes, at, k) => [
        at.y.store(lanes.add(at.y.load, lanes.mul(at.x.load, k.a))),
      ]),
    ],
  }),
);

/** y ← y + t·(x − y) */
export const moveTowards = defineFunction(
  "moveTowards",
  { i32: ["y", "x", "count"], f32: ["t"] },
  ({ y, x, count, t }, declare) => ({
    body: [
      forEachElement(declare, { count, arrays: { y, x }, scalars: { t } }, (lanes, at, k, step) => {
        const old = step.declare(lanes.type);
        return [
          old.set(at.y.load),
          at.y.store(lanes.add(old, lanes.mul(lanes.sub(at.x.load, old), k.t))),
        ];
      }),
    ],
  }),
);

/** Σ x², the squares and their sum in float64. */
export const sumSquares = defineFunction(
  "sumSquares",
  { i32: ["x", "count"] },
  ({ x, count }, declare) => {
    const total = declare("f64");
    return {
      body: [
        forEachElement(
          declare,
          { count, arrays: { x }, scalars: {}, total },
          (lanes, at, _, step) => {
            const value = step.declare(lanes.type);
            return [
              value.set(at.x.load),
              step.addUp(lanes.widen(value).map((wide) => lanes.wide.mul(wide, wide))),
            ];
          },
        ),
      ],
      result: total,
    };
  },
);

/**
 * One AdamW update, in the order of operations of torch.optim.AdamW's single-tensor path:
 * x ← gradientScale·g; m ← m + (1 − β1)·(x − m); v ← β2·v + (1 − β2)·x·x;
 * w ← keep·w − stepSize·m / (√v·rootScale + ε).
 * keep = 1 − lr·weightDecay, stepSize = lr / (1 − β1ᵗ), rootScale = 1 / √(1 − β2ᵗ).
 */
export const adamw = defineFunction(
  "adamw",
  {
    i32: ["w", "g", "m", "v", "count"],
    f32: [
      "gradientScale",
      "keep",
      "freshMean",
      "beta2",
      "freshSquare",
      "stepSize",
      "rootScale",
      "epsilon",
    ],
  },
  ({ w, g, m, v, count, ...scalars }, declare) => ({
    body: [
      forEachElement(declare, { count, arrays: { w, g, m, v }, scalars }, (l, at, k, step) => {
        const x = step.declare(l.type);
        const mean = step.declare(l.type);
        const square = step.declare(l.type);
        return [
          x.set(l.mul(at.g.load, k.gradientScale)),
          mean.set(at.m.load),
          mean.set(l.add(mean, l.mul(l.sub(x, mean), k.freshMean))),
          at.m.store(mean),
          square.set(l.add(l.mul(at.v.load, k.beta2), l.mul(l.mul(k.freshSquare, x), x))),
          at.v.store(square),
          at.w.store(
            l.sub(
              l.mul(at.w.load, k.keep),
              l.div(l.mul(k.stepSize, mean), l.add(l.mul(l.sqrt(square), k.rootScale), k.epsilon)),
            ),
          ),
        ];
      }),
    ],
  }),
);

/** x ← gradientScale·g + weightDecay·w; w ← w − lr·x. As torch.optim.SGD without momentum. */
export const sgd = defineFunction(
  "sgd",
  { i32: ["w", "g", "count"], f32: ["gradientScale", "weightDecay", "lr"] },
  ({ w, g, count, ...scalars }, declare) => ({
    body: [
      forEachElement(declare, { count, arrays: { w, g }, scalars }, (l, at, k, step) => {
        const weight = step.declare(l.type);
        const x = l.add(l.mul(at.g.load, k.gradientScale), l.mul(weight, k.weightDecay));
        return [weight.set(at.w.load), at.w.store(l.sub(weight, l.mul(x, k.lr)))];
      }),
    ],
  }),
);

/**
 * x ← gradientScale·g + weightDecay·w; b ← momentum·b + fresh·x; w ← w − lr·(ownShare·x + bufferShare·b).
 * As torch.optim.SGD: fresh is 1 at the first step and 1 − dampening later; the shares are 0 and 1, with Nesterov's
 * momentum 1 and momentum.
 */
export const sgdMomentum = defineFunction(
  "sgdMomentum",
  {
    i32: ["w", "g", "b", "count"],
    f32: ["gradientScale", "weightDecay", "momentum", "fresh", "ownShare", "bufferShare", "lr"],
  },
  ({ w, g, b, count, ...scalars }, declare) => ({
    body: [
      forEachElement(declare, { count, arrays: { w, g, b }, scalars }, (l, at, k, step) => {
        const weight = step.declare(l.type);
        const x = step.declare(l.type);
        const buffer = step.declare(l.type);
        const direction = l.add(l.mul(x, k.ownShare), l.mul(buffer, k.bufferShare));
        return [
          weight.set(at.w.load),
          x.set(l.add(l.mul(at.g.load, k.gradientScale), l.mul(weight, k.weightDecay))),
          buffer.set(l.add(l.mul(at.b.load, k.momentum), l.mul(x, k.fresh))),
          at.b.store(buffer),
          at.w.store(l.sub(weight, l.mul(direction, k.lr))),
        ];
      }),
    ],
  }),
);
