// A column of whole numbers that grows, in a typed array: millions of them in a few bytes each.

type NumberArray = Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

const firstCapacity = 1024;

export class NumberColumn<A extends NumberArray> {
  readonly #make: new (
    length: number,
  ) => A;
  #numbers: A;
  #length = 0;

  constructor(make: new (length: number) => A) {
    this.#make = make;
    this.#numbers = new make(firstCapacity);
  }

  get length(): number {
    return this.#length;
  }

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = new this.#make(2 * this.#length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length++] = number;
  }

  /** The number at an index below the length. */
  at(index: number): number {
    return this.#numbers[index]!;
  }

  /** The numbers so far, as a view that a later push may leave behind. */
  view(): A {
    return this.#numbers.subarray(0, this.#length) as A;
  }
}
