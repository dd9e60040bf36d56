// Events that were not delivered yet, a line each in a file: what a run told outlives its process.
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import type { RunEvent, RunIdentity } from "../ports/event-sink.js";
import { isRunning } from "../runtime/living-process.js";

/** A file's name: the sink, the run, the process that holds it, and a mark where it was taken over. */
const spoolName = /^([a-z0-9]+)-([a-z0-9]+)-(\d+)(?:-[0-9a-f]+)?\.jsonl$/;
/** Bytes read at once. */
const pieceBytes = 4 << 20;

export interface Spool {
  readonly file: string;
  /** Whether nothing waits in it. */
  readonly isEmpty: boolean;
  /** Adds events, whole or not at all; with `isSure` also those added before are on the disk itself afterwards. */
  append(events: readonly RunEvent[], isSure?: boolean): Promise<void>;
  /** Hands over what waits, some events at a time; what was delivered is not handed over again by this spool. */
  drain(deliver: (events: readonly RunEvent[]) => Promise<void>): Promise<void>;
}

/** JSON without numbers that it has no word for. */
function encode(event: RunEvent | RunIdentity): string {
  return JSON.stringify(event, (_, value) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
}

/** Undefined for a line that was cut off. */
function decode(line: string): RunEvent | undefined {
  let event: RunEvent;
  try {
    event = JSON.parse(line) as RunEvent;
  } catch {
    return undefined;
  }
  if (event.type !== "points") return event;
  return { ...event, points: event.points.map((each) => ({ ...each, value: Number(each.value) })) };
}

/** The spool of a run for one sink; its file is made when something is put into it. */
export function createSpool(folder: string, sink: string, run: RunIdentity): Spool {
  return new FileSpool(path.join(folder, `${sink}-${run.id}-${process.pid}.jsonl`), run, 0);
}

class FileSpool implements Spool {
  readonly file: string;
  private readonly run: RunIdentity;
  /** Bytes in the file that are whole lines, how many of them were delivered, and how many are on the disk itself. */
  private written: number;
  private delivered = 0;
  private synced = 0;
  /** Adding and removing take turns; handing over waits for neither. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(file: string, run: RunIdentity, written: number) {
    this.file = file;
    this.run = run;
    this.written = written;
  }

  get isEmpty(): boolean {
    return this.delivered >= this.written;
  }

  append(events: readonly RunEvent[], isSure = false): Promise<void> {
    return this.inTurn(async () => {
      if (events.length === 0 && (!isSure || this.synced >= this.written)) return;
      const isNew = this.written === 0;
      const first = isNew ? `${encode(this.run)}\n` : "";
      const text = events.length === 0 ? "" : first + events.map((e) => `${encode(e)}\n`).join("");
      if (isNew) await mkdir(path.dirname(this.file), { recursive: true });
      const handle = await open(this.file, isNew ? "w" : "r+");
      try {
        // A full disk may have left a part of what was to be added last.
        await handle.truncate(this.written);
        await handle.write(text, this.written);
        if (isSure) await handle.sync();
      } finally {
        await handle.close();
      }
      this.written += Buffer.byteLength(text);
      if (isSure) this.synced = this.written;
      if (isSure && isNew) await syncFolder(path.dirname(this.file));
    });
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  async drain(deliver: (events: readonly RunEvent[]) => Promise<void>): Promise<void> {
    for (;;) {
      if (this.isEmpty && (await this.inTurn(() => this.removeEmpty()))) return;
      const { lines, bytes } = await this.readPiece();
      const own = this.delivered === 0 ? lines.slice(1) : lines;
      const events = own.map(decode).filter((event) => event !== undefined);
      if (events.length > 0) await deliver(events);
      this.delivered += bytes;
    }
  }

  /** @returns false where something was added in the meantime */
  private async removeEmpty(): Promise<boolean> {
    if (!this.isEmpty) return false;
    if (this.written > 0) await rm(this.file, { force: true });
    this.written = 0;
    this.delivered = 0;
    this.synced = 0;
    return true;
  }

  /** Whole lines from what was not delivered; at the end of a file that was left, also one that was cut off. */
  private async readPiece(): Promise<{ lines: string[]; bytes: number }> {
    const left = this.written - this.delivered;
    const handle = await open(this.file, "r");
    try {
      let piece = Buffer.alloc(0);
      for (;;) {
        const more = Buffer.alloc(Math.min(pieceBytes, left - piece.length));
        const { bytesRead } = await handle.read(
          more,
          0,
          more.length,
          this.delivered + piece.length,
        );
        piece = Buffer.concat([piece, more.subarray(0, bytesRead)]);
        const isLast = bytesRead === 0 || piece.length === left;
        const end = isLast ? piece.length : piece.lastIndexOf(10) + 1;
        if (end === 0 && !isLast) continue;
        const lines = piece.toString("utf8", 0, end).split("\n");
        return { lines: lines.filter((line) => line !== ""), bytes: isLast ? left : end };
      }
    } finally {
      await handle.close();
    }
  }
}

/** Makes a file's name last. Some systems open no folders; there nothing more can be done. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

export interface LeftSpool {
  readonly sink: string;
  readonly run: RunIdentity;
  readonly spool: Spool;
}

/** Takes over spools for some sinks whose process is gone, one taker each. */
export async function takeLeftSpools(
  folder: string,
  sinks: ReadonlySet<string>,
): Promise<readonly LeftSpool[]> {
  const names = await readdir(folder).catch(() => []);
  const taken: LeftSpool[] = [];
  for (const name of names) {
    const [, sink = "", id = "", pid = ""] = spoolName.exec(name) ?? [];
    if (!sinks.has(sink) || Number(pid) === process.pid || isRunning(Number(pid))) continue;
    // This process may have a spool of its own for the same run.
    const mark = randomBytes(4).toString("hex");
    const file = path.join(folder, `${sink}-${id}-${process.pid}-${mark}.jsonl`);
    try {
      await rename(path.join(folder, name), file);
    } catch {
      // Somebody else was first.
      continue;
    }
    const text = await readFile(file);
    const end = text.indexOf(10);
    try {
      const run = JSON.parse(text.toString("utf8", 0, end)) as RunIdentity;
      taken.push({ sink, run, spool: new FileSpool(file, run, text.length) });
    } catch {
      // Killed within the first line: there is nothing in it.
      await rm(file, { force: true });
    }
  }
  return taken;
}
