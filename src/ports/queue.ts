// Work that is to be done once it can be, by whoever is there, and not lost when they are killed. Types only.

/** What a handler is given, as JSON; whatever it needs to know must be in it, for it may run on another machine. */
export type JobPayload = unknown;

export interface EnqueueOptions {
  /** Names the job; one that is there already stays as it is, so that asking twice enqueues once. Made up else. */
  readonly id?: string;
  /** Higher goes first; 0 unless said. Jobs of one priority go in the order they came. */
  readonly priority?: number;
  /** Not begun before so much time has passed. */
  readonly delayMs?: number;
  /** How often it is begun in all before it counts as dead; 3 unless said. */
  readonly maxAttempts?: number;
  /** Pause before the second attempt, twice as long before each further one; 1,000 unless said. */
  readonly backoffMs?: number;
}

export interface Job {
  readonly id: string;
  readonly queue: string;
  readonly payload: JobPayload;
  /** From 1; more where it failed before, or whoever had it was killed. */
  readonly attempt: number;
  readonly maxAttempts: number;
}

/** `dead`: it failed as often as it may, and waits for someone to look at it. */
export type JobState = "waiting" | "active" | "done" | "dead" | "cancelled";

export interface JobRecord extends Job {
  readonly state: JobState;
  /** What the last attempt failed with. */
  readonly error: string | null;
}

/**
 * Does a job; what it resolves to does not count, what it throws is an attempt that failed. It may be called more than once
 * for a job (a killed worker's goes to another), so what it does must come to the same when done twice.
 * @param signal fires when the job was cancelled, when another worker has it, and when this one is told to stop
 */
export type JobHandler = (job: Job, signal: AbortSignal) => Promise<void>;

export interface WorkOptions {
  /** Jobs done at once; 1 unless said. */
  readonly concurrency?: number;
  /** How long a job is this worker's without a sign of life; 30,000 unless said. Signs are given by themselves. */
  readonly leaseMs?: number;
  /** How often to look for work that came from elsewhere; 500 unless said. */
  readonly pollMs?: number;
}

export interface QueueWorker {
  /**
   * Takes no further job, and waits for those under way.
   * @param abort tells them to end; they are put back as they were, and this attempt does not count. Where the store cannot be
   *   reached for that within a few seconds, they are left as they are and go to another worker as a killed one's do.
   */
  stop(options?: { readonly abort?: boolean }): Promise<void>;
  /** Resolves once it has stopped; rejects where the queue can no longer be read. */
  readonly ended: Promise<void>;
}

export interface Queue {
  /** @returns the job's id @throws what the store throws */
  enqueue(queue: string, payload: JobPayload, options?: EnqueueOptions): Promise<string>;
  /** Begins to do jobs of a queue, at least once each, the urgent ones first. */
  work(queue: string, handler: JobHandler, options?: WorkOptions): QueueWorker;
  /** Ends a job: at once while it waits, by its signal while it is being done. @returns whether there was anything to end */
  cancel(id: string): Promise<boolean>;
  find(id: string): Promise<JobRecord | undefined>;
  /** Jobs of a queue in some state, in the order they came, such as the dead ones. */
  list(queue: string, state: JobState): Promise<readonly JobRecord[]>;
  /** Gives a dead job new attempts. @returns whether it was dead */
  revive(id: string): Promise<boolean>;
  /** Stops this queue's workers as `stop({abort: true})` does. The store behind it stays open. */
  close(): Promise<void>;
}
