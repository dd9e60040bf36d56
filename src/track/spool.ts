// Events that were not delivered yet, a line each in a file: what a run told outlives its process.
import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { systemCode } from "../errors/file-errors.js";
import type { EventSink, RunEvent, RunIdentity } from "../ports/event-sink.js";
import { isRunning, processMark } from "../runtime/living-process.js";
import { silentMs } from "./interrupted.js";

/**
 * A file's name: the sink, the run, a hash of the sink's destination, who holds it, and what tells it from others. Its
 * holder is a hash of the machine's name, a process there and that one's mark, or `free`.
 */
const spoolName =
  /^([a-z0-9]+)-([a-z0-9]+)-([0-9a-f]{8})-(?:free|([0-9a-f]{8})-(\d+)-([0-9a-f]+))-[0-9a-f]{8}\.jsonl$/;
/** Bytes read at once. */
const pieceBytes = 4 << 20;
/** The first line says whose a spool is. */
const mostHeadBytes = 1 << 20;

/** Whom a spool is for. */
export type SpoolSink = Pick<EventSink, "name" | "destination">;

/** The first line of a spool. */
interface Head {
  readonly sink: string;
  readonly destination: string;
  readonly run: RunIdentity;
}

export interface Spool {
  readonly file: string;
  /** Where events lie that a sink will never take. */
  readonly refusedFile: string;
  /** Whether nothing waits in it. */
  readonly isEmpty: boolean;
  /** Adds events, whole or not at all; with `isSure` also those added before are on the disk itself afterwards. */
  append(events: readonly RunEvent[], isSure?: boolean): Promise<void>;
  /** Hands over what waits, some events at a time; what was delivered is not handed over again by this spool. */
  drain(deliver: (events: readonly RunEvent[]) => Promise<void>): Promise<void>;
  /** Leaves what waits to whoever comes first, this process or another. @returns the file that it is in then */
  release(): Promise<string>;
}

/** JSON without numbers that it has no word for. */
function encode(event: RunEvent): string {
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
export function createSpool(folder: string, sink: SpoolSink, run: RunIdentity): Spool {
  return new FileSpool(folder, sink, run);
}

function placeOf({ destination }: Pick<SpoolSink, "destination">): string {
  return createHash("sha256").update(destination).digest("hex").slice(0, 8);
}

const ownHost = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const ownMark = processMark() || "0";

/** A name that no other file has. */
function newName(sink: SpoolSink, runId: string, isFree = false): string {
  const holder = isFree ? "free" : `${ownHost}-${process.pid}-${ownMark}`;
  const own = randomBytes(4).toString("hex");
  return `${sink.name}-${runId}-${placeOf(sink)}-${holder}-${own}.jsonl`;
}

class FileSpool implements Spool {
  private readonly folder: string;
  private readonly sink: SpoolSink;
  private readonly run: RunIdentity;
  private current: string;
  /** Bytes in the file that are whole lines, how many of them were delivered, and how many are on the disk itself. */
  private written: number;
  private delivered = 0;
  private synced = 0;
  /** How often it was begun anew. */
  private generation = 0;
  /** Adding and removing take turns; handing over waits for neither. */
  private turn: Promise<unknown> = Promise.resolve();

  /** @param left a file that was taken over, and its bytes */
  constructor(
    folder: string,
    sink: SpoolSink,
    run: RunIdentity,
    left?: { readonly file: string; readonly sizeBytes: number },
  ) {
    this.folder = folder;
    this.sink = sink;
    this.run = run;
    this.current = left?.file ?? path.join(folder, newName(sink, run.id));
    this.written = left?.sizeBytes ?? 0;
  }

  get file(): string {
    return this.current;
  }

  get refusedFile(): string {
    const { sink, run } = this;
    return path.join(this.folder, `${sink.name}-${run.id}-${placeOf(sink)}.refused.jsonl`);
  }

  get isEmpty(): boolean {
    return this.delivered >= this.written;
  }

  append(events: readonly RunEvent[], isSure = false): Promise<void> {
    return this.inTurn(async () => {
      if (events.length === 0 && (!isSure || this.synced >= this.written)) return;
      const handle = await this.openToWrite();
      const isNew = this.written === 0;
      const { sink, run } = this;
      const head: Head = { sink: sink.name, destination: sink.destination, run };
      const lines = [...(isNew ? [JSON.stringify(head)] : []), ...events.map(encode)];
      const text = lines.map((line) => `${line}\n`).join("");
      try {
        // A full disk may have left a part of what was to be added last.
        await handle.truncate(this.written);
        await writeWhole(handle, Buffer.from(text), this.written);
        if (isSure) await handle.sync();
      } catch (thrown) {
        await handle.truncate(this.written).catch(() => {});
        throw thrown;
      } finally {
        await handle.close();
      }
      this.written += Buffer.byteLength(text);
      if (isSure) this.synced = this.written;
      if (isSure && isNew) await syncFolder(this.folder);
    });
  }

  private async openToWrite(): Promise<FileHandle> {
    if (this.written > 0) {
      try {
        return await open(this.current, "r+");
      } catch (thrown) {
        if (systemCode(thrown) !== "ENOENT") throw thrown;
        // Another machine took this process for dead: what was in it is in good hands.
        this.forget();
      }
    }
    await mkdir(this.folder, { recursive: true });
    return await open(this.current, "w");
  }

  private forget(): void {
    this.written = 0;
    this.delivered = 0;
    this.synced = 0;
    this.generation++;
  }

  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  async drain(deliver: (events: readonly RunEvent[]) => Promise<void>): Promise<void> {
    for (;;) {
      if (this.isEmpty && (await this.inTurn(() => this.removeEmpty()))) return;
      const { delivered, generation } = this;
      const piece = await this.readPiece(delivered);
      if (piece === undefined) continue;
      const own = delivered === 0 ? piece.lines.slice(1) : piece.lines;
      const events = own.map(decode).filter((event) => event !== undefined);
      if (events.length > 0) await deliver(events);
      // Unless it was taken away in the meantime.
      if (this.generation !== generation) continue;
      this.delivered += piece.bytes;
      // To other machines, what does not change is left.
      const now = new Date();
      await utimes(this.current, now, now).catch(() => {});
    }
  }

  /** @returns false where something was added in the meantime */
  private async removeEmpty(): Promise<boolean> {
    if (!this.isEmpty) return false;
    if (this.written > 0) await rm(this.current, { force: true });
    this.forget();
    return true;
  }

  release(): Promise<string> {
    return this.inTurn(async () => {
      if (this.isEmpty) return this.current;
      const free = path.join(this.folder, newName(this.sink, this.run.id, true));
      try {
        await rename(this.current, free);
      } catch {
        // It stays this process's until that ends.
        return this.current;
      }
      this.current = path.join(this.folder, newName(this.sink, this.run.id));
      this.forget();
      return free;
    });
  }

  /**
   * Whole lines from what was not delivered; at the end of a file that was left, also one that was cut off.
   * @returns undefined where the file is no longer there
   */
  private async readPiece(from: number): Promise<{ lines: string[]; bytes: number } | undefined> {
    const left = this.written - from;
    const { generation } = this;
    let handle: FileHandle;
    try {
      handle = await open(this.current, "r");
    } catch (thrown) {
      if (systemCode(thrown) !== "ENOENT") throw thrown;
      await this.inTurn(async () => {
        if (this.generation === generation) this.forget();
      });
      return undefined;
    }
    try {
      let piece = Buffer.alloc(0);
      for (;;) {
        const more = Buffer.alloc(Math.min(pieceBytes, left - piece.length));
        const { bytesRead } = await handle.read(more, 0, more.length, from + piece.length);
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

async function writeWhole(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Makes a file's name last. Some systems open no folders; there nothing more can be done. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

export interface LeftSpool {
  readonly sink: SpoolSink;
  readonly run: RunIdentity;
  readonly spool: Spool;
}

/**
 * Takes over spools for some sinks whose process is gone, one taker each.
 * @param onWarning told of files that are no spools, which are set aside
 */
export async function takeLeftSpools(
  folder: string,
  sinks: readonly SpoolSink[],
  onWarning: (message: string) => void,
): Promise<readonly LeftSpool[]> {
  const taken: LeftSpool[] = [];
  for (const name of await namesIn(folder)) {
    const [, kind, id = "", place] = spoolName.exec(name) ?? [];
    const sink = sinks.find((each) => each.name === kind && placeOf(each) === place);
    if (sink === undefined || !(await isLeft(folder, name))) continue;
    const file = path.join(folder, newName(sink, id));
    try {
      const now = new Date();
      await utimes(path.join(folder, name), now, now);
      await rename(path.join(folder, name), file);
    } catch {
      // Somebody else was first.
      continue;
    }
    const sizeBytes = (await stat(file)).size;
    const head = await readHead(file);
    if (head !== undefined) {
      const spool = new FileSpool(folder, sink, head.run, { file, sizeBytes });
      taken.push({ sink, run: head.run, spool });
    } else await setAside(file, onWarning);
  }
  return taken;
}

/** Whether nobody holds a spool that lives. */
async function isLeft(folder: string, name: string): Promise<boolean> {
  const [, , , , host, pid, mark] = spoolName.exec(name) ?? [];
  if (host === undefined) return true;
  if (host === ownHost) {
    if (Number(pid) === process.pid && mark === ownMark) return false;
    return !isRunning(Number(pid), mark === "0" ? "" : mark);
  }
  // Another machine's process cannot be asked for; while it lives it writes every few seconds.
  const found = await stat(path.join(folder, name)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > silentMs;
}

/** Undefined for a file whose first line says nothing. */
async function readHead(file: string): Promise<Head | undefined> {
  const handle = await open(file, "r");
  try {
    const bytes = Buffer.alloc(mostHeadBytes);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    const end = bytes.subarray(0, bytesRead).indexOf(10);
    if (end === -1) return undefined;
    const head = JSON.parse(bytes.toString("utf8", 0, end)) as Partial<Head> | null;
    return typeof head?.run?.id === "string" ? (head as Head) : undefined;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

/** One that was cut off within its first line has nothing in it; whatever else is not deleted. */
async function setAside(file: string, onWarning: (message: string) => void): Promise<void> {
  const { size } = await stat(file);
  const handle = await open(file, "r");
  const start = Buffer.alloc(Math.min(size, mostHeadBytes));
  await handle.read(start, 0, start.length, 0).finally(() => handle.close());
  if (size < mostHeadBytes && !start.includes(10)) return await rm(file, { force: true });
  const aside = file.replace(/\.jsonl$/, ".unreadable");
  await rename(file, aside);
  onWarning(`What a run told cannot be read, and is kept in ${aside}.`);
}

/** What waits in a folder, or was set aside. */
export interface WaitingSpool {
  readonly sink: string;
  readonly destination: string;
  readonly run: RunIdentity;
  readonly file: string;
  /** Whether its process goes on, and sends it itself. */
  readonly isHeld: boolean;
}

/** Spools as they lie there now; nothing is taken over. */
export async function listSpools(folder: string): Promise<readonly WaitingSpool[]> {
  const waiting: WaitingSpool[] = [];
  for (const name of await namesIn(folder)) {
    if (!spoolName.test(name)) continue;
    const file = path.join(folder, name);
    const isHeld = !(await isLeft(folder, name));
    // It may be gone by now.
    const head = await readHead(file).catch(() => undefined);
    if (head !== undefined) waiting.push({ ...head, file, isHeld });
  }
  return waiting;
}

/** Files of what a sink refused, or that are no spools. */
export async function listSetAside(folder: string): Promise<readonly string[]> {
  const names = (await namesIn(folder)).filter((name) =>
    /\.(refused\.jsonl|unreadable)$/.test(name),
  );
  return names.map((name) => path.join(folder, name));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}
