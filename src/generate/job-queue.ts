// Jobs that wait for their turn: whose it is, and who is encoded together with them.
import { kindOf, roomFor } from "./encoder-parts.js";
import type { Pending, Priority } from "./job.js";

/** So many for whom somebody waits go before a pile of work, then one of the pile: under steady load it would wait for ever. */
const mostBefore = 4;
/** Jobs that wait are looked at for some of the next one's length; so many, that nobody is overtaken by more. */
const mostLookedAt = 32;

export type Jobs = readonly [Pending, ...Pending[]];

/** Places for keys and values of the longest source of a job's documents. */
export const sourceOf = ({ readings }: Pick<Pending, "readings">) =>
  roomFor(Math.max(0, ...readings.map(({ length }) => length)));
/** What all of a job's documents are read as; undefined where they differ. */
function kindOfAll({ readings: [first, ...others] }: Pending): string | undefined {
  const kind = first && kindOf(first);
  return others.every((other) => kindOf(other) === kind) ? kind : undefined;
}
/** Rows of each of its documents. */
export const widthOf = ({ searches }: Pick<Pending, "searches">) => searches[0]?.width ?? 1;
export const documentsOf = (jobs: readonly Pick<Pending, "searches">[]) =>
  jobs.reduce((sum, { searches }) => sum + searches.length, 0);

export class JobQueue {
  private readonly waiting: Record<Priority, Pending[]> = { interactive: [], batch: [] };
  /** Interactive jobs that have gone before those of a pile since the last of these. */
  private wentBefore = 0;

  get size(): number {
    return this.waiting.interactive.length + this.waiting.batch.length;
  }

  jobs(): Pending[] {
    return [...this.waiting.interactive, ...this.waiting.batch];
  }

  push(job: Pending): void {
    this.waiting[job.hooks.priority ?? "interactive"].push(job);
  }

  remove(job: Pending): void {
    for (const queue of Object.values(this.waiting)) {
      const at = queue.indexOf(job);
      if (at >= 0) queue.splice(at, 1);
    }
  }

  /**
   * Takes out the job whose turn it is, where there is room for it, and others that are read as it is and have as many rows.
   * @param mostTogether documents of its length that are encoded together at most
   */
  take(hasRoom: (jobs: Jobs) => boolean, mostTogether: (first: Pending) => number): Pending[] {
    const queue = this.next();
    const jobs = jobsTogether(queue, hasRoom, mostTogether);
    for (const job of jobs) this.remove(job);
    const { interactive, batch } = this.waiting;
    if (jobs.length > 0) {
      const isBefore = queue === interactive && batch.length > 0;
      this.wentBefore = isBefore ? this.wentBefore + jobs.length : 0;
    }
    return jobs;
  }

  /** Whose turn it is. One of a pile whose turn has come keeps it until there is room: smaller ones would take that for ever. */
  private next(): readonly Pending[] {
    const { interactive, batch } = this.waiting;
    const isPiles = interactive.length === 0 || (this.wentBefore >= mostBefore && batch.length > 0);
    return isPiles ? batch : interactive;
  }
}

function jobsTogether(
  [first, ...others]: readonly Pending[],
  hasRoom: (jobs: Jobs) => boolean,
  mostTogether: (first: Pending) => number,
): Pending[] {
  if (first === undefined || !hasRoom([first])) return [];
  let jobs: Jobs = [first];
  const [most, kind] = [mostTogether(first), kindOfAll(first)];
  if (kind === undefined) return [first];
  for (const job of others.slice(0, mostLookedAt)) {
    const more: Jobs = [...jobs, job];
    const isAlike = kindOfAll(job) === kind && widthOf(job) === widthOf(first);
    if (isAlike && documentsOf(more) <= most && hasRoom(more)) jobs = more;
  }
  return [...jobs];
}
