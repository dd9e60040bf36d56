// The documents whose searches advance together: their keys and values, and which of them each row may see.
import { dropped } from "../model/forward.js";
import { float32, int64, type Tensor } from "../runtime/tensor.js";
import { BufferPool } from "./buffer-pool.js";
import { fresh } from "./cache.js";
import type { Search } from "./search.js";

/** Steps by which the room for a document's own past grows. */
const growth = 16;
/** How many times as many places are made where there are too few, so that not every document moves all others. */
const spare = 1.5;

type Take = BufferPool["take"];

export interface BatchShape {
  /** Rows of each document. */
  readonly width: number;
  readonly heads: number;
  readonly headWidth: number;
}

/** Names of the step graph's inputs that hold keys and values. */
export interface CacheInputs {
  readonly own: readonly string[];
  readonly cross: readonly string[];
}

/** A document on its way through a batch. */
export interface Member {
  readonly search: Search;
  /** The step of the batch at which it began. */
  readonly start: number;
  /** Tokens of its source, padding included. */
  readonly source: number;
  /** For each row, the slot taken at each step so far. */
  pasts: readonly (readonly number[])[];
}

export interface NextStep {
  readonly feeds: Record<string, Tensor>;
  /** Names of the outputs that go into the caches, all of one shape [B,H,W,D]. */
  readonly fresh: readonly string[];
  readonly shape: readonly number[];
  /** Takes them into the slots of this step, before anybody comes or goes. */
  readonly keep: (answer: Readonly<Record<string, Tensor>>) => void;
}

/**
 * Bytes of keys and values that one document takes at most.
 * @param source tokens it reads @param steps tokens it writes at most
 */
export function cacheBytes(
  { own, cross }: CacheInputs,
  { width, heads, headWidth }: BatchShape,
  source: number,
  steps: number,
): number {
  const window = Math.ceil(steps / growth) * growth;
  return 4 * heads * headWidth * (cross.length * source + own.length * window * width);
}

/**
 * Documents come and go between steps. Each has a place in tensors [B,H,…,D] that have room for more; whoever goes leaves
 * its place to the last. What a document writes at a step of the batch goes to that step's slots, which come round again
 * once nobody can look back so far.
 */
export class RunningBatch {
  readonly members: Member[] = [];
  private readonly shape: BatchShape;
  private readonly inputs: CacheInputs;
  private readonly pool: BufferPool;
  private own = new Map<string, Float32Array>();
  private cross = new Map<string, Float32Array>();
  private mask: Float32Array = new Float32Array(0);
  /** Places there is room for. */
  private places = 0;
  /** Tokens of a source there is room for. */
  private source = 0;
  /** Steps that a document can look back. */
  private window = 0;
  private step = 0;

  constructor(inputs: CacheInputs, shape: BatchShape, pool = new BufferPool()) {
    this.pool = pool;
    this.inputs = inputs;
    this.shape = shape;
  }

  get size(): number {
    return this.members.length;
  }

  /** Tokens of the longest source of its documents. */
  get sourceTokens(): number {
    return Math.max(0, ...this.members.map(({ source }) => source));
  }

  /** Bytes held. */
  get sizeBytes(): number {
    let total = this.mask.byteLength;
    for (const held of [this.own, this.cross])
      for (const data of held.values()) total += data.byteLength;
    return total;
  }

  /**
   * Takes in documents that were encoded together. Where memory is short nothing has changed.
   * @param memory cross-attention's keys and values [N,H,S,D] by input name
   * @param mask [N,1,1,S]
   * @param more documents of the same length that come next: room is made for them at once
   * @throws RangeError where memory is short
   */
  add(
    searches: readonly Search[],
    memory: Readonly<Record<string, Tensor>>,
    mask: Tensor<"float32">,
    more = 0,
  ): void {
    const [, , , length = 0] = mask.shape;
    const { heads, headWidth } = this.shape;
    this.narrow();
    this.makeRoom(this.size + searches.length + more, Math.max(length, this.sourceTokens));
    for (const [n, search] of searches.entries()) {
      const place = this.size;
      for (const [name, data] of this.cross) {
        const from = memory[name] as Tensor<"float32">;
        for (let h = 0; h < heads; h++) {
          const start = (n * heads + h) * length * headWidth;
          data.set(
            from.data.subarray(start, start + length * headWidth),
            (place * heads + h) * this.source * headWidth,
          );
        }
      }
      const row = this.mask.subarray(place * this.source, (place + 1) * this.source);
      row.fill(dropped);
      row.set(mask.data.subarray(n * length, (n + 1) * length));
      const pasts = Array.from({ length: this.shape.width }, () => []);
      this.members.push({ search, start: this.step, source: length, pasts });
    }
  }

  /** Lets a document go; the last one takes its place. */
  remove(index: number): void {
    const last = this.size - 1;
    if (index !== last) {
      for (const [held, width] of [
        [this.own, this.ownWidth(this.window)],
        [this.cross, this.crossWidth(this.source)],
      ] as const) {
        for (const data of held.values())
          data.copyWithin(index * width, last * width, (last + 1) * width);
      }
      const { source } = this;
      this.mask.copyWithin(index * source, last * source, (last + 1) * source);
      this.members[index] = this.members[last] as Member;
    }
    this.members.pop();
    if (this.size === 0) this.release();
  }

  /** Nobody is left: the next documents find room of their own size. */
  private release(): void {
    this.replaceOwn(new Map());
    this.giveAll(this.cross.values());
    this.pool.give(this.mask);
    this.cross = new Map();
    this.mask = new Float32Array(0);
    this.places = 0;
    this.source = 0;
    this.window = 0;
    this.step = 0;
  }

  private ownWidth(window: number): number {
    const { heads, headWidth, width } = this.shape;
    return heads * window * width * headWidth;
  }

  private crossWidth(source: number): number {
    return this.shape.heads * source * this.shape.headWidth;
  }

  /**
   * Copies what is held into other tensors where it does not fit, or where half of their room would do: those who made it so
   * large have gone.
   * @throws RangeError, and documents are as they were
   */
  private makeRoom(places: number, source: number): void {
    const fits = places <= this.places && source <= this.source;
    if (fits && 2 * places > this.places && 2 * source > this.source) return;
    const more = Math.ceil(spare * this.places);
    const isAmple = places <= this.places && 2 * places > this.places;
    const room = isAmple ? this.places : places > this.places ? Math.max(places, more) : places;
    const { cross, mask } = this.taking((take) => {
      const moved = new Map<string, Float32Array>();
      for (const name of this.inputs.cross) {
        const data = take(room * this.crossWidth(source));
        const before = this.cross.get(name);
        if (before !== undefined) this.moveSlices(before, this.source, data, source);
        moved.set(name, data);
      }
      const shown = take(room * source).fill(dropped);
      for (let place = 0; place < this.size; place++) {
        const start = place * this.source;
        const kept = Math.min(this.source, source);
        shown.set(this.mask.subarray(start, start + kept), place * source);
      }
      return { cross: moved, mask: shown };
    });
    this.giveAll(this.cross.values());
    this.pool.give(this.mask);
    this.cross = cross;
    this.mask = mask;
    this.source = source;
    // Only then the rest, so that not all of it is there twice; should that fail, there is room here that nobody uses.
    if (room !== this.places)
      this.replaceOwn(this.taking((take) => this.resizedOwn(take, room, this.window)));
    this.places = room;
  }

  /** Does what takes memory; where there is not enough for all of it, what it took is given back. */
  private taking<T>(work: (take: Take) => T): T {
    const taken: Float32Array[] = [];
    try {
      return work((length) => {
        const data = this.pool.take(length);
        taken.push(data);
        return data;
      });
    } catch (thrown) {
      this.giveAll(taken);
      throw thrown;
    }
  }

  private giveAll(buffers: Iterable<Float32Array>): void {
    for (const buffer of buffers) this.pool.give(buffer);
  }

  private replaceOwn(own: Map<string, Float32Array>): void {
    this.giveAll(this.own.values());
    this.own = own;
  }

  /** Moves [size·H] slices of one length into slices of another, as much of each as both have room for. */
  private moveSlices(from: Float32Array, before: number, to: Float32Array, after: number): void {
    const { heads, headWidth } = this.shape;
    const kept = Math.min(before, after) * headWidth;
    for (let i = 0; i < this.size * heads; i++) {
      const start = i * before * headWidth;
      to.set(from.subarray(start, start + kept), i * after * headWidth);
    }
  }

  private resizedOwn(take: Take, places: number, window: number): Map<string, Float32Array> {
    const { width } = this.shape;
    const moved = new Map<string, Float32Array>();
    for (const name of this.inputs.own) {
      const data = take(places * this.ownWidth(window));
      const before = this.own.get(name);
      if (before !== undefined) this.moveSlices(before, this.window * width, data, window * width);
      moved.set(name, data);
    }
    return moved;
  }

  /** The document that began first: the one that what all can look back is as wide as it is for. */
  get oldest(): Member | undefined {
    return this.members.reduce<Member | undefined>(
      (first, member) => (first === undefined || member.start < first.start ? member : first),
      undefined,
    );
  }

  /** Widens what documents can look back, so that this step's slots hold nothing that anybody needs. */
  private widen(): void {
    const oldest = Math.min(...this.members.map(({ start }) => start));
    const needed = this.step - oldest + 1;
    if (needed <= this.window) return;
    // Slots are a step's number modulo the window: they keep their places only while the window has not come round.
    const window = this.window + growth;
    if (this.step > this.window) this.unwind();
    this.replaceOwn(this.taking((take) => this.resizedOwn(take, this.places, window)));
    this.window = window;
  }

  /** Narrows what documents can look back where half of it would do. @throws RangeError, and nothing is lost */
  private narrow(): void {
    if (this.size === 0) return;
    const oldest = Math.min(...this.members.map(({ start }) => start));
    const needed = Math.ceil((this.step - oldest + 1) / growth) * growth;
    if (2 * needed > this.window) return;
    // Counted anew from the oldest, what anybody needs lies at the beginning.
    this.unwind();
    this.replaceOwn(this.taking((take) => this.resizedOwn(take, this.places, needed)));
    this.window = needed;
  }

  /** Counts steps anew from the oldest document, and moves everybody's slots to where the new count has them. */
  private unwind(): void {
    const oldest = Math.min(...this.members.map(({ start }) => start));
    const { window } = this;
    const { width, headWidth, heads } = this.shape;
    const shift = oldest % window;
    if (shift !== 0) {
      const slice = window * width * headWidth;
      const turned = new Float32Array(slice);
      const cut = shift * width * headWidth;
      for (const data of this.own.values()) {
        for (let i = 0; i < this.size * heads; i++) {
          const part = data.subarray(i * slice, (i + 1) * slice);
          turned.set(part.subarray(cut));
          turned.set(part.subarray(0, cut), slice - cut);
          part.set(turned);
        }
      }
    }
    const slots = window * width;
    for (const [index, member] of this.members.entries()) {
      this.members[index] = {
        ...member,
        start: member.start - oldest,
        pasts: member.pasts.map((past) =>
          past.map((slot) => (slot - shift * width + slots) % slots),
        ),
      };
    }
    this.step -= oldest;
  }

  /**
   * Feeds of the next step, what of its answer the caches are for, and how that is taken into them.
   * @throws RangeError where memory is short for what the oldest document needs; without it the others can go on
   */
  next(): NextStep {
    this.widen();
    const { heads, headWidth, width } = this.shape;
    const { size, step, window, source, own } = this;
    const slots = window * width;
    const first = (step % window) * width;
    const visible = slots + 1;
    const ancestors = new Float32Array(size * width * visible).fill(dropped);
    const tokens: number[] = [];
    for (const [b, member] of this.members.entries()) {
      const { rows } = member.search;
      const pasts = rows.map(({ parent }) => member.pasts[parent] ?? []);
      for (const { token } of rows) tokens.push(token);
      for (const [row, past] of pasts.entries()) {
        const start = (b * width + row) * visible;
        for (const slot of past) ancestors[start + slot] = 0;
        ancestors[start + slots] = 0;
      }
      member.pasts = pasts.map((past, row) => [...past, first + row]);
    }
    // The latest step at which each slot was written, and this one.
    const slotPositions = Array.from({ length: slots }, (_, slot) => {
      const block = Math.floor(slot / width);
      return step - ((step - block + window) % window);
    });
    const feeds: Record<string, Tensor> = {
      ids: int64(tokens, [size, width]),
      ancestors: float32(ancestors, [size, 1, width, visible]),
      mask: float32(this.mask.subarray(0, size * source), [size, 1, 1, source]),
      places: int64(
        this.members.map(({ start }) => step - start),
        [size, 1],
      ),
      now: int64([step], [1]),
      slotPositions: int64([...slotPositions, step], [visible]),
    };
    for (const [name, data] of this.cross) {
      const used = data.subarray(0, size * this.crossWidth(source));
      feeds[name] = float32(used, [size, heads, source, headWidth]);
    }
    for (const [name, data] of own) {
      const used = data.subarray(0, size * this.ownWidth(window));
      feeds[name] = float32(used, [size, heads, slots, headWidth]);
    }
    this.step += 1;
    const written = width * headWidth;
    const keep = (answer: Readonly<Record<string, Tensor>>) => {
      for (const [name, data] of own) {
        const { data: from } = answer[fresh(name)] as Tensor<"float32">;
        for (let i = 0; i < size * heads; i++) {
          const to = (i * slots + first) * headWidth;
          data.set(from.subarray(i * written, (i + 1) * written), to);
        }
      }
    };
    return {
      feeds,
      fresh: [...own.keys()].map(fresh),
      shape: [size, heads, width, headWidth],
      keep,
    };
  }
}
