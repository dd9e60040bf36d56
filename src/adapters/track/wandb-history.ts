// The history of a run as Weights & Biases is to have it, a line a row, in a file here: what a row's number is, which rows
// the service has, and what it was told besides. Several processes may write it at once.
import { mkdir, open, rename, stat } from "node:fs/promises";
import path from "node:path";
import type { MetricPoint, RunEvent } from "../../ports/event-sink.js";

/** Values of one moment. */
export interface WandbRow {
  /** Of the run; null for readings of the machine, whose axis is time. */
  readonly step: number | null;
  readonly epoch: number | null;
  readonly at: number;
  readonly values: Readonly<Record<string, number | string>>;
}

/** A row and its place in the service's history. */
export interface NumberedRow extends WandbRow {
  readonly number: number;
}

export type WandbEnd = Omit<Extract<RunEvent, { type: "end" }>, "type">;

/** What the service is told of a run besides its rows. */
export interface WandbState {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** When the process began it, or took it up, that did so last. */
  readonly takenUpAt: number;
  /** Undefined while it goes on. */
  readonly end: WandbEnd | undefined;
}

/** What the service had of a run before anything was told from here. */
export interface WandbOthers {
  readonly rows: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly takenUpAt: number;
  readonly summary: Readonly<Record<string, unknown>>;
}

type Line =
  | { readonly row: WandbRow }
  /** Rows before this number are there, and this of the rest, where it changed. */
  | { readonly told: { readonly rows: number; readonly state?: Partial<KeptState> } }
  | { readonly others: WandbOthers }
  /** Rows that the service refused: their numbers stay, without what was in them. */
  | { readonly emptied: readonly number[] };
type KeptState = Omit<WandbState, "end"> & { readonly end: WandbEnd | null };

const nothing: WandbState = { name: "", config: {}, takenUpAt: 0, end: undefined };
/** Bytes read at once, unless a line is longer. */
const pieceBytes = 4 << 20;
/** Rows of one request. */
const mostAtOnce = 1000;
const machineKey = /^system\//;

export class WandbHistory {
  private readonly file: string;
  private readTo = 0;
  private inode = 0;
  private count = 0;
  private toldRows = 0;
  private kept: WandbState = nothing;
  /** Rows that the service may not have, by their numbers. */
  private untold: NumberedRow[] = [];
  /** Keys of each moment's rows; sets of the same keys are one set. */
  private moments = new Map<string, ReadonlySet<string>[]>();
  private keySets = new Map<string, ReadonlySet<string>>();
  private latest = new Map<string, { readonly value: unknown; readonly at: number }>();

  constructor(file: string) {
    this.file = file;
  }

  /** What the service was told last, as far as is known here. */
  get state(): WandbState {
    return this.kept;
  }

  /** Rows that have a number. */
  get rows(): number {
    return this.count;
  }

  /** Whether the service took anything from here. */
  get wasTold(): boolean {
    return this.kept.name !== "";
  }

  get untoldRows(): number {
    return this.untold.length;
  }

  get hasUntold(): boolean {
    return this.untold.length > 0;
  }

  /** Whether the service was told this last. */
  isTold(state: WandbState): boolean {
    return difference(this.kept, state) === undefined;
  }

  /** Keys of the run's own metrics, in the order in which they came. */
  get metricKeys(): readonly string[] {
    return [...this.latest.keys()].filter(
      (key) => !machineKey.test(key) && !key.startsWith("_") && key !== "step" && key !== "epoch",
    );
  }

  /** Reads what was added since, by whomever; but for a line that is being written, or was cut off. */
  async catchUp(): Promise<void> {
    const found = await stat(this.file).catch(() => undefined);
    if (found === undefined || found.ino !== this.inode || found.size < this.readTo) this.forget();
    if (found === undefined) return;
    this.inode = found.ino;
    const handle = await open(this.file, "r");
    try {
      for (let bytes = pieceBytes; this.readTo < found.size; ) {
        const piece = Buffer.alloc(Math.min(bytes, found.size - this.readTo));
        const { bytesRead } = await handle.read(piece, 0, piece.length, this.readTo);
        const end = piece.subarray(0, bytesRead).lastIndexOf(10) + 1;
        if (end === 0 && bytesRead < bytes) return;
        if (end === 0) bytes *= 2;
        for (const text of piece.toString("utf8", 0, end).split("\n")) this.fold(text);
        this.readTo += end;
      }
    } finally {
      await handle.close();
    }
  }

  private forget(): void {
    this.readTo = 0;
    this.count = 0;
    this.toldRows = 0;
    this.kept = nothing;
    this.untold = [];
    this.moments = new Map();
    this.latest = new Map();
  }

  private fold(text: string): void {
    const line = lineIn(text);
    if (line === undefined) return;
    if ("row" in line) this.foldRow(line.row);
    else if ("told" in line) {
      const { rows, state } = line.told;
      this.toldRows = Math.max(this.toldRows, rows);
      this.untold = this.untold.filter(({ number }) => number >= this.toldRows);
      if (state !== undefined) this.kept = merged(this.kept, state);
    } else if ("others" in line) {
      const { rows, config, takenUpAt, summary } = line.others;
      this.count = Math.max(this.count, rows);
      this.untold = this.untold.map((row) => ({ ...row, number: this.count++ }));
      this.toldRows = rows;
      this.kept = {
        ...this.kept,
        config: { ...config, ...this.kept.config },
        takenUpAt: Math.max(takenUpAt, this.kept.takenUpAt),
      };
      const at = Number(summary._timestamp ?? 0) * 1000;
      for (const [key, value] of Object.entries(summary)) this.see(key, value, at);
    } else {
      const gone = new Set(line.emptied);
      this.untold = this.untold.map((row) => (gone.has(row.number) ? this.emptied(row) : row));
    }
  }

  /** Two processes may have added a point at once: it counts where it comes first. */
  private foldRow(added: WandbRow): void {
    const moment = momentOf(added);
    const there = this.moments.get(moment) ?? [];
    const isThere = (key: string) => there.some((keys) => keys.has(key));
    const values = Object.entries(added.values).filter(([key]) => !isThere(key));
    const number = this.count++;
    if (values.length === 0) {
      this.untold.push({ ...emptyOf(added), number });
      return;
    }
    const row = { ...added, values: Object.fromEntries(values) };
    this.untold.push({ ...row, number });
    this.moments.set(moment, [...there, this.keysOf(row)]);
    for (const [key, value] of Object.entries(valuesOf(row))) this.see(key, value, row.at);
  }

  private see(key: string, value: unknown, at: number): void {
    if (at >= (this.latest.get(key)?.at ?? 0)) this.latest.set(key, { value, at });
  }

  private keysOf({ values }: WandbRow): ReadonlySet<string> {
    const keys = Object.keys(values);
    const name = JSON.stringify(keys);
    const known = this.keySets.get(name) ?? new Set(keys);
    this.keySets.set(name, known);
    return known;
  }

  private emptied(row: NumberedRow): NumberedRow {
    const moment = momentOf(row);
    const others = this.moments.get(moment)?.filter((keys) => keys !== this.keysOf(row)) ?? [];
    this.moments.set(moment, others);
    return { ...emptyOf(row), number: row.number };
  }

  /** Gives points their rows, but for those that have one: told twice, they are there once. */
  async add(points: readonly MetricPoint[]): Promise<void> {
    const rows = rowsOf(points.filter((point) => !this.has(point)));
    if (rows.length > 0) await this.append(rows.map((row) => ({ row })));
  }

  private has(point: MetricPoint): boolean {
    const rows = this.moments.get(momentOf({ ...point, step: stepOf(point) }));
    return rows?.some((keys) => keys.has(point.key)) ?? false;
  }

  /** Rows that the service may not have, the next ones: without a gap in their numbers, as many as one request takes. */
  nextUntold(): readonly NumberedRow[] {
    const first = this.untold[0]?.number ?? 0;
    return this.untold.slice(0, mostAtOnce).filter(({ number }, i) => number === first + i);
  }

  /** The last values of all keys, as the service shows them beside the run. */
  summary(): Readonly<Record<string, unknown>> {
    return Object.fromEntries([...this.latest].map(([key, { value }]) => [key, value]));
  }

  /** Notes that the service has the rows before a number, and, where it is told, the rest. */
  async markTold(rows: number, state?: WandbState): Promise<void> {
    const changed = state === undefined ? undefined : difference(this.kept, state);
    if (rows <= this.toldRows && changed === undefined) return;
    await this.append([{ told: { rows, ...(changed && { state: changed }) } }], false);
  }

  /** What the service has of others: rows here go on after it. */
  async markOthers(others: WandbOthers): Promise<void> {
    await this.append([{ others }]);
  }

  /** Takes the values of untold points out of their rows, because the service refuses them. */
  async empty(points: readonly MetricPoint[]): Promise<void> {
    const moments = new Map<string, Set<string>>();
    for (const point of points) {
      const moment = momentOf({ ...point, step: stepOf(point) });
      moments.set(moment, (moments.get(moment) ?? new Set()).add(point.key));
    }
    const emptied = this.untold
      .filter((row) => Object.keys(row.values).some((key) => moments.get(momentOf(row))?.has(key)))
      .map(({ number }) => number);
    if (emptied.length > 0) await this.append([{ emptied }]);
  }

  /** Begins anew: the service does not know the run that it was told of. */
  async setAside(): Promise<void> {
    await rename(this.file, `${this.file}.old`).catch(() => {});
    this.forget();
  }

  /** Adds lines at the end, whoever else adds some: their numbers are known once they are read. */
  private async append(lines: readonly Line[], isSure = true): Promise<void> {
    await mkdir(path.dirname(this.file), { recursive: true });
    const handle = await open(this.file, "a");
    try {
      // What was cut off before it is a line of its own, which nobody can read.
      const text = lines.map((line) => `\n${JSON.stringify(line)}`).join("");
      await handle.appendFile(`${text}\n`);
      if (isSure) await handle.sync();
    } finally {
      await handle.close();
    }
    await this.catchUp();
  }
}

function lineIn(text: string): Line | undefined {
  if (text === "") return undefined;
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === "object" && line !== null ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}

/** A row that is no more than a number. */
function emptyOf({ at }: WandbRow): WandbRow {
  return { at, step: null, epoch: null, values: {} };
}

function momentOf({ step, at }: Pick<WandbRow, "step" | "at">): string {
  return `${step ?? ""} ${at}`;
}

function stepOf({ key, step }: MetricPoint): number | null {
  return machineKey.test(key) ? null : step;
}

/** Points of one moment are one row. */
function rowsOf(points: readonly MetricPoint[]): readonly WandbRow[] {
  const rows = new Map<string, WandbRow & { readonly values: Record<string, number | string> }>();
  for (const point of points) {
    const { key, value, at, epoch } = point;
    const step = stepOf(point);
    const moment = momentOf({ step, at });
    const row = rows.get(moment) ?? { step, epoch: step === null ? null : epoch, at, values: {} };
    // W&B's own clients write what JSON has no word for like this.
    row.values[key] = Number.isFinite(value) ? value : String(value);
    rows.set(moment, row);
  }
  return [...rows.values()];
}

/** A row's values under the names that they have at the service. */
export function valuesOf({
  step,
  epoch,
  values,
}: WandbRow): Readonly<Record<string, number | string>> {
  return { ...(step !== null && { step }), ...(epoch !== null && { epoch }), ...values };
}

/** What changed; undefined where nothing did. */
function difference(before: WandbState, after: WandbState): Partial<KeptState> | undefined {
  const config = Object.fromEntries(
    Object.entries(after.config).filter(
      ([key, value]) => JSON.stringify(before.config[key]) !== JSON.stringify(value),
    ),
  );
  const changed = {
    ...(after.name !== before.name && { name: after.name }),
    ...(Object.keys(config).length > 0 && { config }),
    ...(after.takenUpAt !== before.takenUpAt && { takenUpAt: after.takenUpAt }),
    ...(JSON.stringify(after.end) !== JSON.stringify(before.end) && { end: after.end ?? null }),
  };
  return Object.keys(changed).length > 0 ? changed : undefined;
}

function merged(
  before: WandbState,
  { name, config, takenUpAt, end }: Partial<KeptState>,
): WandbState {
  return {
    name: name ?? before.name,
    config: { ...before.config, ...config },
    takenUpAt: Math.max(before.takenUpAt, takenUpAt ?? 0),
    end: end === undefined ? before.end : (end ?? undefined),
  };
}
