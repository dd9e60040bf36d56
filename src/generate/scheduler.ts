// Runs everybody's searches together: who waits, who is encoded next, and the steps that those on their way share.

import { thisMachine } from "../config/machine.js";
import { BridleError } from "../errors/error.js";
import type { ModelConfig } from "../model/family.js";
import { release } from "../runtime/release.js";
import type { Session } from "../runtime/session.js";
import { int64 } from "../runtime/tensor.js";
import { type Allocate, BufferPool, isOutOfMemory } from "./buffer-pool.js";
import { bytesOf, type CacheInputs } from "./cache.js";
import { mostTogether, partsOf } from "./encoder-parts.js";
import {
  type Job,
  type JobPhases,
  memoryShort,
  type Pending,
  type Priority,
  sizeText,
  tellPhases,
} from "./job.js";
import { documentsOf, JobQueue, type Jobs, sourceOf, widthOf } from "./job-queue.js";
import { OutputBuffers } from "./output-buffers.js";
import { cacheBytes, RunningBatch } from "./running-batch.js";
import { neediest, scoresFor } from "./score-needs.js";
import type { Search } from "./search.js";
import { advance, candidatesOf } from "./step-scores.js";

export type { JobPhases, Priority };

export interface BatchLimits {
  /** Rows, documents times their beams, that share a step at most; one document alone may have more. Default 64. */
  readonly maxRows?: number;
  /** Bytes of keys and values that documents on their way may hold. Default a quarter of the memory there is. */
  readonly maxCacheBytes?: number;
}

/** What is under way, and what has been done since the start. */
export interface EngineLoad {
  readonly waiting: number;
  readonly running: number;
  /** Rows of the documents on their way. */
  readonly rows: number;
  readonly cacheBytes: number;
  readonly steps: number;
  /** Rows of all steps so far: over `steps` it is how full they were. */
  readonly stepRows: number;
  /** Tokens written for documents, whatever the beams. */
  readonly tokens: number;
  readonly encodeMs: number;
  readonly stepMs: number;
}

export interface EngineParts {
  readonly encoder: Session;
  readonly decoder: Session;
  readonly config: ModelConfig;
  readonly inputs: CacheInputs;
  readonly allocate?: Allocate | undefined;
  /** Bytes of weights that a step reads, however many rows share it. */
  readonly stepWeightBytes: number;
}

interface Group {
  readonly width: number;
  readonly batch: RunningBatch;
}

/** Throws what an aborted signal asks for. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw signal.reason instanceof BridleError ? signal.reason : new BridleError("CANCELLED");
}

/**
 * Step-level batching: documents with equally many rows advance together, unless padding their sources would cost more than
 * it saves; they come in between two steps and go when they are done.
 * Source: Yu et al. 2022 (Orca), §3, selective batching left to padding.
 */
export class Scheduler {
  private readonly parts: EngineParts;
  private readonly limits: Required<BatchLimits>;
  private readonly outputs: OutputBuffers;
  private readonly pool: BufferPool;
  private readonly queue = new JobQueue();
  private groups: Group[] = [];
  private readonly owners = new Map<Search, Pending>();
  private looping = false;
  /** Ends when the loop rests. */
  private work: Promise<void> = Promise.resolve();
  private closed = false;
  private readonly done = { steps: 0, stepRows: 0, tokens: 0, encodeMs: 0, stepMs: 0 };

  constructor(parts: EngineParts, limits: BatchLimits = {}) {
    this.parts = parts;
    this.outputs = new OutputBuffers(parts.allocate);
    this.pool = new BufferPool(parts.allocate);
    const maxCacheBytes = limits.maxCacheBytes ?? Math.floor(thisMachine().memoryBytes / 4);
    this.limits = { maxRows: limits.maxRows ?? 64, maxCacheBytes };
  }

  /**
   * Waits for its turn, then runs a job's searches to their end.
   * @throws CANCELLED or its signal's reason, CACHE_MEMORY_SHORT, or beside others RUN_MEMORY_SHORT where there is no memory; LOGITS_INVALID, RUN_FAILED
   */
  run(job: Job): Promise<void> {
    if (this.closed) return Promise.reject(new BridleError("CANCELLED"));
    const eachBytes = this.bytesFor(job);
    const { maxCacheBytes } = this.limits;
    if (job.searches.length * eachBytes > maxCacheBytes) {
      const room = `room for ${sizeText(maxCacheBytes)} of them`;
      return Promise.reject(memoryShort({ ...job, eachBytes }, room));
    }
    return new Promise((resolve, reject) => {
      const cameAt = performance.now();
      const times = { cameAt, startedAt: undefined, readAt: undefined };
      const counts = { steps: 0, stepDocuments: 0, left: job.searches.length };
      const rest = { eachBytes, ...times, ...counts, ended: false };
      const pending = { ...job, ...rest, resolve, reject };
      this.queue.push(pending);
      if (!this.looping) this.work = this.loop();
    });
  }

  load(): EngineLoad {
    return {
      waiting: this.queue.size,
      running: this.owners.size,
      rows: this.groups.reduce((sum, { batch, width }) => sum + batch.size * width, 0),
      cacheBytes: this.groups.reduce((sum, { batch }) => sum + batch.sizeBytes, 0),
      ...this.done,
    };
  }

  /** Ends whatever is under way, and waits until nothing runs any more. */
  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.jobs()) this.end(job, new BridleError("CANCELLED"));
    await this.work;
  }

  private jobs(): Set<Pending> {
    return new Set([...this.queue.jobs(), ...this.owners.values()]);
  }

  private async loop(): Promise<void> {
    this.looping = true;
    try {
      while (!this.closed && (await this.turn())) {
        // A run may block this thread: let its messages in, so that jobs can come and be cancelled.
        await new Promise(setImmediate);
      }
    } catch (thrown) {
      // Nothing above expects to fail; whoever waits must not wait for ever.
      for (const job of this.jobs()) this.end(job, thrown);
    } finally {
      this.looping = false;
      this.pool.rest();
    }
    // Who came just as the last turn ended found the loop still at work.
    if (!this.closed && this.load().waiting > 0) await this.loop();
  }

  /** Takes in what there is room for, then one step of every group. @returns whether anything was done */
  private async turn(): Promise<boolean> {
    this.dropCancelled();
    const admitted = await this.admit();
    const groups = [...this.groups];
    for (const group of groups) {
      this.dropCancelled();
      if (group.batch.size > 0) await this.stepOf(group);
    }
    this.groups = this.groups.filter(({ batch }) => batch.size > 0);
    return admitted || groups.length > 0;
  }

  private dropCancelled(): void {
    for (const job of this.jobs()) {
      try {
        checkAborted(job.hooks.signal);
      } catch (thrown) {
        this.end(job, thrown);
      }
    }
  }

  /** Settles a job and lets its documents go. */
  private end(job: Pending, error?: unknown): void {
    if (job.ended) return;
    job.ended = true;
    this.queue.remove(job);
    for (const { batch } of this.groups) {
      for (let i = batch.size - 1; i >= 0; i--) {
        const { search } = batch.members[i] as { search: Search };
        if (job.searches.includes(search)) batch.remove(i);
      }
    }
    for (const search of job.searches) this.owners.delete(search);
    let failure = error;
    try {
      tellPhases(job);
    } catch (thrown) {
      // A listener that throws ends its own job alone.
      failure ??= thrown;
    }
    if (failure === undefined) job.resolve();
    else job.reject(failure);
  }

  /**
   * Encodes the next job, if there is room for it, and with it those that are as long. No more at a turn, so that those on their way
   * are not held up for long.
   */
  private async admit(): Promise<boolean> {
    const jobs = this.queue.take(
      (coming) => this.hasRoom(coming),
      (first) => mostTogether(sourceOf(first), this.parts.encoder.device),
    );
    if (jobs.length === 0) return false;
    const begun = jobs.filter((job) => this.begin(job));
    try {
      await this.read(begun);
    } catch (thrown) {
      // Nothing was put anywhere yet. Where memory is short for all at once, there may be enough for one after the other.
      const isSplit = begun.length > 1 && !this.closed;
      for (const job of begun) {
        if (isSplit) await this.read([job]).catch((again) => this.fail(job, again));
        else this.fail(job, thrown);
      }
    }
    return true;
  }

  /** Tells a job that its turn has come. @returns whether it goes on */
  private begin(job: Pending): boolean {
    try {
      job.hooks.onStart?.();
      job.startedAt = performance.now();
      return true;
    } catch (thrown) {
      this.end(job, thrown);
      return false;
    }
  }

  private fail(job: Pending, thrown: unknown): void {
    this.end(job, isOutOfMemory(thrown) ? this.shortFor(job) : thrown);
  }

  /** Why a job ends for which there was no memory: beside others it is no fault of its own, and may come again. */
  private shortFor(job: Pending): BridleError {
    const isAlone = [...this.owners.values()].every((owner) => owner === job);
    return isAlone ? memoryShort(job) : new BridleError("RUN_MEMORY_SHORT");
  }

  /** Encodes jobs and puts their documents into a group. */
  private async read(jobs: readonly Pending[]): Promise<void> {
    const [first] = jobs;
    if (first === undefined) return;
    const began = performance.now();
    const group = this.groupFor(first);
    const documents = jobs.flatMap(({ searches, readings }) =>
      readings.map((reading, i) => ({ reading, search: searches[i] as Search })),
    );
    const { encoder, config } = this.parts;
    for (const part of partsOf(documents, config, encoder.device)) {
      // Keys and values of cross-attention, until the next are encoded.
      const memory = await encoder.run({ ...part.feeds });
      try {
        // Meanwhile they were in no list that closing or cancelling looks through.
        if (this.closed) throw new BridleError("CANCELLED");
        if (jobs.length === 1) checkAborted(first.hooks.signal);
        this.makeWay(group, this.promisedBytes(group, jobs));
        group.batch.add(part.searches, memory, part.feeds.mask, part.left);
      } finally {
        release(Object.values(memory).map(({ data }) => data));
      }
    }
    const now = performance.now();
    this.done.encodeMs += now - began;
    for (const job of jobs) {
      job.readAt = now;
      for (const search of job.searches) this.owners.set(search, job);
    }
  }

  /** Whether rows and bytes suffice, also for all that those on their way may still come to need. */
  private hasRoom(jobs: Jobs): boolean {
    const { rows } = this.load();
    if (rows === 0 && jobs.length === 1) return true;
    const { maxRows, maxCacheBytes } = this.limits;
    const coming = documentsOf(jobs) * widthOf(jobs[0]);
    return rows + coming <= maxRows && this.bytesWith(jobs) <= maxCacheBytes;
  }

  /** Bytes that all groups take at most with jobs more that go into one. */
  private bytesWith(jobs: Jobs): number {
    const joined = this.findGroup(jobs[0]);
    let sum = joined === undefined ? documentsOf(jobs) * this.bytesFor(...jobs) : 0;
    for (const group of this.groups) sum += this.promisedBytes(group, group === joined ? jobs : []);
    return sum;
  }

  /** Bytes that a group takes at most: everybody has as much room as the longest source and the longest summary need. */
  private promisedBytes({ batch }: Group, coming: readonly Pending[] = []): number {
    const owners = batch.members.flatMap(({ search }) => this.owners.get(search) ?? []);
    return (owners.length + documentsOf(coming)) * this.bytesFor(...owners, ...coming);
  }

  /** Gives a group what the limit leaves beside the others; where it needs more than that, they let go what they can spare. */
  private makeWay({ batch }: Group, neededBytes: number): void {
    const others = this.groups.flatMap((group) => (group.batch === batch ? [] : group.batch));
    const left = () =>
      others.reduce((rest, { sizeBytes }) => rest - sizeBytes, this.limits.maxCacheBytes);
    if (left() < neededBytes) for (const other of others) tryToTighten(other);
    batch.mostBytes = left();
  }

  /** Bytes that one document takes at most in a group with these jobs. */
  private bytesFor(...jobs: readonly Job[]): number {
    const shape = { width: jobs[0] === undefined ? 1 : widthOf(jobs[0]) };
    const source = Math.max(0, ...jobs.map(sourceOf));
    const steps = Math.max(0, ...jobs.map(({ mostSteps }) => mostSteps));
    return cacheBytes(this.parts.inputs, shape, source, steps);
  }

  /**
   * The group with equally many rows a document in which padding would be least. What is padded is read at every step: no
   * more of it than a step of the job's own would read of the weights.
   */
  private findGroup(job: Pending): Group | undefined {
    const { inputs, stepWeightBytes } = this.parts;
    const width = widthOf(job);
    const length = sourceOf(job);
    const withSlots = inputs.cross.filter(({ hasSlots }) => hasSlots);
    const tokenBytes = withSlots.reduce((sum, input) => sum + bytesOf(input, 1), 0);
    let [found, least] = [undefined as Group | undefined, stepWeightBytes];
    for (const group of this.groups) {
      if (group.width !== width || group.batch.size === 0) continue;
      const { members, sourceTokens } = group.batch;
      const longest = Math.max(length, sourceTokens);
      const tokens = members.reduce((sum, { source }) => sum + longest - source, 0);
      const padded = tokenBytes * (tokens + job.searches.length * (longest - length));
      if (padded <= least) [found, least] = [group, padded];
    }
    return found;
  }

  private groupFor(job: Pending): Group {
    const found = this.findGroup(job);
    if (found !== undefined) return found;
    const width = widthOf(job);
    const { decoderHeads: heads, headWidth } = this.parts.config;
    const shape = { width, heads, headWidth };
    const batch = new RunningBatch(this.parts.inputs, shape, this.pool);
    const group = { width, batch };
    this.groups.push(group);
    return group;
  }

  /** A step that fails ends who is in its group, and nobody else. */
  private async stepOf(group: Group): Promise<void> {
    try {
      await this.step(group);
    } catch (thrown) {
      for (const { search } of [...group.batch.members]) {
        const owner = this.owners.get(search);
        if (owner !== undefined) this.fail(owner, thrown);
      }
    }
  }

  /** One token for every row of a group. */
  private async step(group: Group): Promise<void> {
    const { batch, width } = group;
    this.reserve(group);
    const next = this.nextOf(group);
    if (next === undefined) return;
    const members = [...batch.members];
    const { needs, count, wantsAll, into } = this.answerOf(group);
    const fed = { ...next.feeds, count: int64([count], [1]) };
    const began = performance.now();
    const answer = await this.parts.decoder.run(fed, into, wantsAll ? [] : ["logits"]);
    next.keep(answer);
    this.done.stepMs += performance.now() - began;
    this.done.steps += 1;
    this.done.stepRows += members.length * width;
    this.done.tokens += members.length;
    for (const owner of new Set(members.map(({ search }) => this.owners.get(search)))) {
      if (owner === undefined) continue;
      owner.steps += 1;
      owner.stepDocuments += members.length;
    }
    const told = new Set<Pending>();
    for (const [b, { search }] of members.entries()) {
      const owner = this.owners.get(search);
      if (owner === undefined || owner.ended) continue;
      try {
        const scores = { answer, place: b, row: owner.searches.indexOf(search) };
        if (needs[b] === undefined) advance(search, scores, owner.mayBeInvalid);
        else search.choose(candidatesOf(scores, width));
      } catch (thrown) {
        this.fail(owner, thrown);
        continue;
      }
      if (owner.searches[0] === search) told.add(owner);
      if (search.done) this.finish(group, search, owner);
    }
    for (const job of told) this.tell(job);
  }

  /** What documents need of a step's scores, and memory for all that it answers. @throws RangeError where that is short */
  private answerOf({ batch, width }: Group) {
    const { vocabSize } = this.parts.config;
    const needs = batch.members.map(({ search }) => scoresFor(search, vocabSize));
    const count = Math.max(1, ...needs.map((need) => need ?? 1));
    const wantsAll = needs.includes(undefined);
    const { fresh, shape } = batch.written;
    const into = {
      ...this.outputs.float32s(fresh, shape),
      ...this.outputs.scores([batch.size, width], count, wantsAll ? vocabSize : undefined),
    };
    return { needs, count, wantsAll, into };
  }

  /**
   * Sees that there is memory for what a step will answer before any of it is begun; it is there still when fewer take part.
   * Where it is short whoever needs most scores goes, the last to come first, until the others have their step.
   */
  private reserve(group: Group): void {
    while (group.batch.size > 0) {
      try {
        this.answerOf(group);
        return;
      } catch (thrown) {
        const neediest = this.neediestOf(group);
        if (!isOutOfMemory(thrown) || neediest === undefined) throw thrown;
        this.end(neediest, this.shortFor(neediest));
      }
    }
  }

  /** The job of a group whose search needs scores of the most tokens; of several the last that began. */
  private neediestOf({ batch }: Group): Pending | undefined {
    const owned = batch.members.flatMap(({ search }) => {
      const owner = this.owners.get(search);
      return owner === undefined ? [] : [{ search, owner }];
    });
    return neediest(owned, this.parts.config.vocabSize)?.owner;
  }

  /** What a group's step is fed. Where memory is short those go who need most of it; undefined where nobody is left. */
  private nextOf(group: Group): ReturnType<RunningBatch["next"]> | undefined {
    const { batch } = group;
    while (batch.size > 0) {
      try {
        this.makeWay(group, batch.neededBytes);
        return batch.next();
      } catch (thrown) {
        const { widest } = batch;
        const owner = widest && this.owners.get(widest.search);
        if (!isOutOfMemory(thrown) || owner === undefined) throw thrown;
        this.end(owner, this.shortFor(owner));
      }
    }
    return undefined;
  }

  /** A listener that throws ends its own job alone. */
  private tell(job: Pending): void {
    try {
      job.hooks.onTokens?.(job.searches[0]?.stablePrefix() ?? []);
    } catch (thrown) {
      this.end(job, thrown);
    }
    if (job.left === 0) this.end(job);
  }

  private finish({ batch }: Group, search: Search, owner: Pending): void {
    batch.remove(batch.members.findIndex((member) => member.search === search));
    this.owners.delete(search);
    owner.left -= 1;
    // The first document's last tokens are told before its job is settled.
    if (owner.left === 0 && owner.searches[0] !== search) this.end(owner);
  }
}

/** Who finds no memory to move to stays where it is: better more than the limit is held than somebody ended for it. */
function tryToTighten(batch: RunningBatch): void {
  try {
    batch.tighten();
  } catch (thrown) {
    if (!isOutOfMemory(thrown)) throw thrown;
  }
}
