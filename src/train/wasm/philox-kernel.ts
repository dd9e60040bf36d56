// Dropout masks from Philox4x32-10, a counter-based generator: any element can be made again from its place alone.
// Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
import {
  type Code,
  type Declare,
  defineFunction,
  type Expression,
  type Local,
} from "./assembler.js";
import { countDown, f32x4, i32, i32x4, i64x2, v128 } from "./instructions.js";

const rounds = 10;
const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
const keySteps = [0x9e3779b9, 0xbb67ae85] as const;

const everywhere = (word: number) => i32x4.const(word, word, word, word);

/** The high and the low halves of the four 64-bit products of `lanes` and a constant. */
function multiplyWide(lanes: Expression<"v128">, factor: number, declare: Declare) {
  const low = declare("v128");
  const high = declare("v128");
  const constant = everywhere(factor);
  return {
    compute: [
      ...low.set(i64x2.multiplyLowUnsigned(lanes, constant)),
      ...high.set(i64x2.multiplyHighUnsigned(lanes, constant)),
    ],
    highHalves: v128.shuffle32(1, 3, 5, 7)(low, high),
    lowHalves: v128.shuffle32(0, 2, 4, 6)(low, high),
  };
}

/** Ten rounds on four blocks at once, lane by lane. `counter` is overwritten with the four words of each block. */
function philox(
  counter: readonly [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">],
  keys: readonly (readonly [Local<"v128">, Local<"v128">])[],
  declare: Declare,
): Code {
  const [c0, c1, c2, c3] = counter;
  const first = multiplyWide(c0, multipliers[0], declare);
  const second = multiplyWide(c2, multipliers[1], declare);
  return keys.flatMap(([key0, key1]) => [
    ...first.compute,
    ...second.compute,
    ...c0.set(v128.xor(v128.xor(second.highHalves, c1), key0)),
    ...c1.set(second.lowHalves),
    ...c2.set(v128.xor(v128.xor(first.highHalves, c3), key1)),
    ...c3.set(first.lowHalves),
  ]);
}

/**
 * Fills a mask with `kept` where a random word is at least `threshold`, and with 0 elsewhere; sixteen elements a group.
 * Element 16·i + 4·w + l is decided by word w of the block with counter (4·i + l, stream, step0, step1).
 */
export const fillMask = defineFunction(
  "fillMask",
  {
    i32: ["mask", "groups", "key0", "key1", "stream", "step0", "step1", "threshold"],
    f32: ["kept"],
  },
  ({ mask, groups, key0, key1, stream, step0, step1, threshold, kept }, declare) => {
    const keys = Array.from({ length: rounds }, () => [declare("v128"), declare("v128")] as const);
    const block = declare("v128");
    const least = declare("v128");
    const value = declare("v128");
    const counter = [declare("v128"), declare("v128"), declare("v128"), declare("v128")] as const;
    return {
      body: [
        ...keys.flatMap(([first, second], round) => [
          first.set(i32x4.splat(i32.add(key0, i32.const(Math.imul(keySteps[0], round))))),
          second.set(i32x4.splat(i32.add(key1, i32.const(Math.imul(keySteps[1], round))))),
        ]),
        block.set(i32x4.const(0, 1, 2, 3)),
        least.set(i32x4.splat(threshold)),
        value.set(f32x4.splat(kept)),
        countDown(groups, { step: 1, least: 1 }, [
          counter[0].set(block),
          counter[1].set(i32x4.splat(stream)),
          counter[2].set(i32x4.splat(step0)),
          counter[3].set(i32x4.splat(step1)),
          philox(counter, keys, declare),
          ...counter.map((word, index) =>
            v128.store(mask, v128.and(i32x4.atLeastUnsigned(word, least), value), 16 * index),
          ),
          block.set(i32x4.add(block, everywhere(4))),
          mask.set(i32.add(mask, i32.const(64))),
        ]),
      ],
    };
  },
);
