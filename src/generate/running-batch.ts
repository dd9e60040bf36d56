// The documents whose searches advance together: their keys and values, and which of them each row may see.
import { dropped } from "../model/forward.js";
import { float32, int64, type Tensor } from "../runtime/tensor.js";
import { BufferPool, isOutOfMemory } from "./buffer-pool.js";
import { bytesOf, type CacheInputs, fresh, type MemoryType } from "./cache.js";
import { CacheTensors, type Room, zeroIn } from "./cache-tensors.js";
import { roomFor } from "./encoder-parts.js";
import type { Search } from "./search.js";
import { gatherPasts, livingPasts, type Member, markLiving, slotsFor } from "./slots.js";

/** How many times as many places are made where there are too few, so that not every document moves all others. */
const spare = 1.5;

export interface BatchShape {
  readonly heads: number;
  readonly headWidth: number;
  /** Rows of each document. */
  readonly width: number;
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
  { width }: Pick<BatchShape, "width">,
  source: number,
  steps: number,
): number {
  const slots = slotsFor(steps * width, width);
  const sum = (inputs: CacheInputs["own"], slots: number) =>
    inputs.reduce((bytes, input) => bytes + bytesOf(input, slots), 0);
  return sum(cross, source) + sum(own, slots);
}

/**
 * Documents come and go between steps. Each has a place in tensors that have room for more; whoever goes leaves
 * its place to the last. What a document writes at a step goes behind what it wrote before. Where there would be no room if it were alone, what none
 * of its rows descends from any more is left out and the rest moves up: beams soon share most of their past, so that far
 * fewer slots are needed than have been written. Slots stay in the order of steps, since sums over them are rounded in theirs.
 */
export class RunningBatch {
  readonly members: Member[] = [];
  /** Bytes of keys and values that it may hold: room to spare is made within them alone, what documents need in any case. */
  mostBytes = Number.POSITIVE_INFINITY;
  private readonly shape: BatchShape;
  private readonly inputs: CacheInputs;
  private readonly pool: BufferPool;
  /** What documents have written, and what they read. */
  private readonly own: CacheTensors;
  private readonly cross: CacheTensors;
  private mask: Float32Array = new Float32Array(0);
  /** Places there is room for. */
  private places = 0;

  constructor(inputs: CacheInputs, shape: BatchShape, pool = new BufferPool()) {
    this.pool = pool;
    this.inputs = inputs;
    this.shape = shape;
    this.own = new CacheTensors(inputs.own, pool);
    this.cross = new CacheTensors(inputs.cross, pool);
  }

  /** Places there are for the tokens of a source. */
  private get source(): number {
    return this.cross.slots;
  }

  /** Slots there is room for in each document's own past. */
  private get slots(): number {
    return this.own.slots;
  }

  get size(): number {
    return this.members.length;
  }

  /** Places for the longest source of its documents. */
  get sourceTokens(): number {
    return Math.max(0, ...this.members.map(({ source }) => source));
  }

  /** Bytes of keys and values that are held. */
  get sizeBytes(): number {
    return this.own.sizeBytes + this.cross.sizeBytes;
  }

  /** Bytes of them that its documents cannot do without at the next step. */
  get neededBytes(): number {
    if (this.size === 0) return 0;
    const { size, sourceTokens } = this;
    return this.bytesFor(size, sourceTokens, this.neededSlots);
  }

  /** What of a step's answer is for the caches. */
  get written(): Pick<NextStep, "fresh" | "shape"> {
    const { heads, headWidth, width } = this.shape;
    return {
      fresh: this.inputs.own.map(({ name }) => fresh(name)),
      shape: [this.size, heads, width, headWidth],
    };
  }

  /**
   * Takes in documents that were encoded together. Where memory is short those that are there are as they were. Places are
   * cleared for who comes: what others left there may be no numbers, which would count although it is masked.
   * @param memory what cross-attention reads, by input name: keys and values [N,H,S,D], or as the encoder answers whole numbers
   * @param mask [N,1,1,S]
   * @param more documents no longer than these that come next: room is made for them at once
   * @throws RangeError where memory is short
   */
  add(
    searches: readonly Search[],
    memory: Readonly<Record<string, Tensor>>,
    mask: Tensor<"float32">,
    more = 0,
  ): void {
    const [, , , length = 0] = mask.shape;
    const places = this.size + searches.length + more;
    const room = roomFor(length);
    const source = Math.max(room, this.sourceTokens);
    const isTight = this.isTight(places, source, this.slots);
    this.narrow(isTight);
    this.makeRoom(places, source, isTight);
    for (const [n, search] of searches.entries()) {
      const place = this.size;
      this.own.clear(place);
      for (const [input, data] of this.cross) {
        const { slices, width, hasSlots } = input;
        const { data: read } = memory[input.name] as Tensor<MemoryType>;
        const [had, has] = [(hasSlots ? length : 1) * width, this.cross.slotsOf(input) * width];
        for (let i = 0; i < slices; i++) {
          const start = (n * slices + i) * had;
          const at = (place * slices + i) * has;
          data.set(read.subarray(start, start + had), at);
          data.fill(zeroIn(input), at + had, at + has);
        }
      }
      const row = this.mask.subarray(place * this.source, (place + 1) * this.source);
      row.fill(dropped);
      row.set(mask.data.subarray(n * length, (n + 1) * length));
      const pasts = Array.from({ length: this.shape.width }, () => []);
      this.members.push({ search, source: room, steps: 0, next: 0, room: 0, pasts });
    }
  }

  /** Lets a document go; the last one takes its place. */
  remove(index: number): void {
    const last = this.size - 1;
    if (index !== last) {
      const { source } = this;
      this.own.move(last, index);
      this.cross.move(last, index);
      this.mask.copyWithin(index * source, last * source, (last + 1) * source);
      this.members[index] = this.members[last] as Member;
    }
    this.members.pop();
    if (this.size === 0) this.release();
  }

  /** Nobody is left: the next documents find room of their own size. */
  private release(): void {
    this.own.release();
    this.cross.release();
    this.pool.give(this.mask);
    this.mask = new Float32Array(0);
    this.places = 0;
  }

  private bytesFor(places: number, source: number, slots: number): number {
    return this.cross.bytesFor({ places, slots: source }) + this.own.bytesFor({ places, slots });
  }

  /** Whether with so much room, and what there is to spare already, more would be held than may be. */
  private isTight(places: number, source: number, slots: number): boolean {
    const most = Math.max(places, this.places);
    const crossBytes = this.cross.bytesFor({
      places: most,
      slots: Math.max(source, this.source),
    });
    const ownBytes = this.own.bytesFor({ places: most, slots });
    const held =
      Math.max(this.cross.sizeBytes, crossBytes) + Math.max(this.own.sizeBytes, ownBytes);
    return held > this.mostBytes;
  }

  /** Lets all go that its documents do not need now. @throws RangeError, and nothing is lost */
  tighten(): void {
    const { neededBytes } = this;
    if (this.sizeBytes <= neededBytes) return;
    this.mostBytes = neededBytes;
    this.narrow(true);
    this.makeRoom(this.size, this.sourceTokens, true);
  }

  /**
   * Makes other room where what is to come does not fit, or where half of what there is would do: those who made it so large
   * have gone.
   * @param isTight whether there is to be no room to spare
   * @throws RangeError, and documents are as they were
   */
  private makeRoom(places: number, source: number, isTight: boolean, slots = this.slots): void {
    const fits = places <= this.places && source <= this.source;
    if (!isTight && fits && 2 * places > this.places && 2 * source > this.source) return;
    const room = isTight ? places : this.placesFor(places, source);
    const resizesOwn = isTight || room !== this.places;
    const ownBytes = resizesOwn ? this.own.bytesFor({ places: room, slots }) : this.own.sizeBytes;
    const shown = this.pool.take(room * source);
    const before = this.source;
    const error = this.resize(this.cross, { places: room, slots: source }, ownBytes);
    if (this.source === source) this.moveMask(shown, before);
    else this.pool.give(shown);
    if (error !== undefined) throw error;
    if (resizesOwn) this.resizeOwn(room, slots);
    this.places = room;
  }

  /** Takes other memory for which tokens of sources are there, where they had so much room before. */
  private moveMask(shown: Float32Array, before: number): void {
    const { source } = this;
    shown.fill(dropped);
    const kept = Math.min(before, source);
    for (let place = 0; place < this.size; place++) {
      const start = place * before;
      shown.set(this.mask.subarray(start, start + kept), place * source);
    }
    this.pool.give(this.mask);
    this.mask = shown;
  }

  /** @returns a RangeError where memory was short, and nothing is lost */
  private resize(tensors: CacheTensors, room: Room, besidesBytes: number): unknown {
    const there = { documents: this.size, places: this.places };
    const error = tensors.resize(room, there, this.mostBytes - besidesBytes);
    // What has been moved has no more room; what has not may have more that nobody uses.
    if (error !== undefined) this.places = Math.min(this.places, room.places);
    return error;
  }

  /** Places to make for so many documents: some to spare where there are too few, as far as they may be held. */
  private placesFor(places: number, source: number): number {
    if (places <= this.places) return 2 * places > this.places ? this.places : places;
    const eachBytes = this.bytesFor(1, source, this.slots);
    const held = Math.floor(this.mostBytes / eachBytes);
    return Math.max(places, Math.min(held, Math.ceil(spare * this.places)));
  }

  /** Makes other room for what documents have written. @throws RangeError, and nothing is lost */
  private resizeOwn(places: number, slots: number): void {
    const error = this.resize(this.own, { places, slots }, this.cross.sizeBytes);
    if (error !== undefined) throw error;
  }

  /** The document with the most slots that its rows descend from: for it all others have as many. */
  get widest(): Member | undefined {
    const marks = new Uint8Array(this.slots);
    let [found, most] = [undefined as Member | undefined, -1];
    for (const member of this.members) {
      const count = markLiving(member, marks.fill(0));
      if (count > most) [found, most] = [member, count];
    }
    return found;
  }

  /** Slots that its rows descend from. */
  private get most(): number {
    const { widest } = this;
    return widest === undefined ? 0 : markLiving(widest, new Uint8Array(this.slots));
  }

  /** Slots without which the next step is not possible, as room for them is made. */
  private get neededSlots(): number {
    return slotsFor(this.most + this.shape.width, this.shape.width);
  }

  /** Makes room for what this step writes: so much that not every step has to, if that may be held and is there. */
  private widen(): void {
    const { size, sourceTokens } = this;
    const { width } = this.shape;
    const marks = new Uint8Array(this.slots);
    for (const [place, member] of this.members.entries()) {
      if (member.next + width <= member.room) continue;
      const spacious = slotsFor(markLiving(member, marks.fill(0)) + 3 * width, width);
      if (spacious > member.room) member.room = spacious;
      else this.gather(place, member);
    }
    if (this.members.every(({ next }) => next + width <= this.slots)) return;
    const { roomiest } = this;
    const isSpacious =
      roomiest > this.slots &&
      !this.isTight(size, sourceTokens, roomiest) &&
      this.tryTo(() => this.resizeOwn(this.places, roomiest));
    if (isSpacious) return;
    // There is no room for what each would have by itself: who does not fit is gathered sooner.
    const { neededSlots } = this;
    if (neededSlots > this.slots) this.makeRoom(size, sourceTokens, true, neededSlots);
    for (const [place, member] of this.members.entries()) {
      if (member.next + width > this.slots) this.gather(place, member);
    }
  }

  /** The most slots that any document would have by itself. */
  private get roomiest(): number {
    return Math.max(0, ...this.members.map(({ room }) => room));
  }

  /** Does what only spares later work. @returns false where memory is short for it */
  private tryTo(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (thrown) {
      if (!isOutOfMemory(thrown)) throw thrown;
      return false;
    }
  }

  /**
   * Gives up slots where half of them would do.
   * @param isTight whether anything less is enough of a reason
   * @throws RangeError, and nothing is lost
   */
  private narrow(isTight: boolean): void {
    if (this.size === 0) return;
    if (!isTight) {
      const { roomiest } = this;
      if (roomiest > 0 && 2 * roomiest <= this.slots) this.resizeOwn(this.places, roomiest);
      return;
    }
    const { neededSlots } = this;
    if (neededSlots >= this.slots) return;
    for (const [place, member] of this.members.entries()) this.gather(place, member);
    this.resizeOwn(this.places, neededSlots);
  }

  /** Moves what a document's next rows descend from to its first slots, in the order it has. */
  private gather(place: number, member: Member): void {
    const moves = gatherPasts(member, this.slots);
    for (const [{ slices, width }, data] of this.own) {
      for (let i = 0; i < slices; i++) {
        const start = (place * slices + i) * this.slots;
        for (const { from, to, length } of moves) {
          const first = (start + from) * width;
          data.copyWithin((start + to) * width, first, first + length * width);
        }
      }
    }
  }

  /**
   * Feeds of the next step, what of its answer the caches are for, and how that is taken into them.
   * @throws RangeError where memory is short for what the widest document needs; without it the others can go on
   */
  next(): NextStep {
    this.widen();
    const { heads, headWidth, width } = this.shape;
    const { size, slots, source } = this;
    const visible = slots + 1;
    const ancestors = new Float32Array(size * width * visible).fill(dropped);
    // Where nothing is to be seen, any step will do.
    const slotPositions = new BigInt64Array(size * visible);
    const tokens: number[] = [];
    const written: number[] = [];
    for (const [b, member] of this.members.entries()) {
      const pasts = livingPasts(member);
      for (const { token } of member.search.rows) tokens.push(token);
      for (const [row, past] of pasts.entries()) {
        const start = (b * width + row) * visible;
        for (const [step, slot] of past.entries()) {
          ancestors[start + slot] = 0;
          slotPositions[b * visible + slot] = BigInt(step);
        }
        ancestors[start + slots] = 0;
      }
      slotPositions[b * visible + slots] = BigInt(member.steps);
      written.push(member.next);
      member.pasts = pasts.map((past, row) => [...past, member.next + row]);
    }
    const feeds: Record<string, Tensor> = {
      ids: int64(tokens, [size, width]),
      ancestors: float32(ancestors, [size, 1, width, visible]),
      mask: float32(this.mask.subarray(0, size * source), [size, 1, 1, source]),
      places: int64(
        this.members.map(({ steps }) => steps),
        [size, 1],
      ),
      slotPositions: { dtype: "int64", data: slotPositions, shape: [size, visible] },
    };
    for (const tensors of [this.cross, this.own]) {
      for (const [input, data] of tensors) {
        const { name, dtype, shapeOf } = input;
        const used = data.subarray(0, size * tensors.widthOf(input));
        feeds[name] = { dtype, data: used, shape: shapeOf(size, tensors.slots) } as Tensor;
      }
    }
    for (const member of this.members) {
      member.steps += 1;
      member.next += width;
    }
    const length = width * headWidth;
    const keep = (answer: Readonly<Record<string, Tensor>>) => {
      for (const [{ name }, data] of this.own) {
        const { data: from } = answer[fresh(name)] as Tensor<"float32">;
        for (let i = 0; i < size * heads; i++) {
          const first = written[Math.floor(i / heads)] as number;
          data.set(from.subarray(i * length, (i + 1) * length), (i * slots + first) * headWidth);
        }
      }
    };
    return { feeds, ...this.written, keep };
  }
}
