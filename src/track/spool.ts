// Events that could not be delivered yet, a line each in a file: what a run told outlives its process.
import { randomBytes } from "node:crypto";
import { appendFile, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
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
  append(events: readonly RunEvent[]): Promise<void>;
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
  /** Bytes in the file, and how many of them were delivered. */
  private written: number;
  private delivered = 0;

  constructor(file: string, run: RunIdentity, written: number) {
    this.file = file;
    this.run = run;
    this.written = written;
  }

  get isEmpty(): boolean {
    return this.delivered >= this.written;
  }

  async append(events: readonly RunEvent[]): Promise<void> {
    if (events.length === 0) return;
    const first = this.written === 0 ? `${encode(this.run)}\n` : "";
    const text = `${first}${events.map((event) => `${encode(event)}\n`).join("")}`;
    await mkdir(path.dirname(this.file), { recursive: true });
    await appendFile(this.file, text);
    this.written += Buffer.byteLength(text);
  }

  async drain(deliver: (events: readonly RunEvent[]) => Promise<void>): Promise<void> {
    while (!this.isEmpty) {
      const { lines, bytes } = await this.readPiece();
      const own = this.delivered === 0 ? lines.slice(1) : lines;
      const events = own.map(decode).filter((event) => event !== undefined);
      if (events.length > 0) await deliver(events);
      this.delivered += bytes;
    }
    if (this.written === 0) return;
    await rm(this.file, { force: true });
    this.written = 0;
    this.delivered = 0;
  }

  /** Whole lines from what was not delivered, and a last one that was cut off. */
  private async readPiece(): Promise<{ lines: string[]; bytes: number }> {
    const handle = await open(this.file, "r");
    try {
      let piece = Buffer.alloc(0);
      for (;;) {
        const more = Buffer.alloc(pieceBytes);
        const { bytesRead } = await handle.read(more, 0, pieceBytes, this.delivered + piece.length);
        piece = Buffer.concat([piece, more.subarray(0, bytesRead)]);
        const end = piece.lastIndexOf(10) + 1;
        const isLast = bytesRead < pieceBytes;
        if (end === 0 && !isLast) continue;
        const bytes = isLast ? Math.max(piece.length, this.written - this.delivered) : end;
        const text = piece.toString("utf8", 0, isLast ? piece.length : end);
        return { lines: text.split("\n").filter((line) => line !== ""), bytes };
      }
    } finally {
      await handle.close();
    }
  }
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
