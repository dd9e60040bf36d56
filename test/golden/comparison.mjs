// Compares what Bridle computes with what a golden file says, value by value, and keeps count.
// @ts-check

/** How many mismatches are kept with their place and values; all are counted. */
const keptMismatches = 5;

/** @param {unknown} value */
function show(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export class Comparison {
  /** Numbers and texts compared so far. */
  values = 0;
  /** Largest absolute difference of two numbers, and where it was. */
  worst = 0;
  mismatchCount = 0;
  /** @type {string[]} */
  mismatches = [];

  /** @param {number} tolerance largest absolute difference at which two numbers count as equal */
  constructor(tolerance) {
    this.tolerance = tolerance;
  }

  /** A comparison with the same tolerance that has seen nothing yet. */
  fresh() {
    return new Comparison(this.tolerance);
  }

  /** Adds what another comparison has seen. @param {Comparison} other */
  take(other) {
    this.values += other.values;
    this.worst = Math.max(this.worst, other.worst);
    this.mismatchCount += other.mismatchCount;
    this.mismatches.push(...other.mismatches.slice(0, keptMismatches - this.mismatches.length));
  }

  /** @param {string} where @param {string} what */
  mismatch(where, what) {
    this.mismatchCount++;
    if (this.mismatches.length < keptMismatches) this.mismatches.push(`${where}: ${what}`);
  }

  /**
   * Compares two JSON values: numbers to the tolerance, all else exactly, lists and records whole. What only one
   * side has is a mismatch, as is a number that is not finite.
   * @param {string} where @param {unknown} actual @param {unknown} expected
   * @returns {this}
   */
  same(where, actual, expected) {
    if (Array.isArray(expected) && Array.isArray(actual)) {
      if (actual.length !== expected.length) {
        this.mismatch(where, `${actual.length} entries, expected ${expected.length}`);
      }
      for (let i = 0; i < Math.min(actual.length, expected.length); i++) {
        this.same(`${where}[${i}]`, actual[i], expected[i]);
      }
    } else if (isRecord(expected) && isRecord(actual)) {
      for (const key of new Set([...Object.keys(actual), ...Object.keys(expected)])) {
        if (!Object.hasOwn(expected, key)) this.mismatch(`${where}.${key}`, "absent from the file");
        else if (!Object.hasOwn(actual, key)) this.mismatch(`${where}.${key}`, "is nothing known");
        else this.same(`${where}.${key}`, actual[key], expected[key]);
      }
    } else if (typeof expected === "number" && typeof actual === "number") {
      this.values++;
      const difference = Math.abs(actual - expected);
      if (!(difference <= this.tolerance)) {
        this.mismatch(where, `${actual}, expected ${expected}`);
      }
      if (difference > this.worst) this.worst = difference;
    } else {
      this.values++;
      if (actual !== expected) this.mismatch(where, `${show(actual)}, expected ${show(expected)}`);
    }
    return this;
  }
}
