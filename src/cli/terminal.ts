// What a command sees of the outside: its streams, its environment and the signal that ends it.
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

type MaybeTty = { readonly isTTY?: boolean; readonly columns?: number };

export interface Terminal {
  readonly stdin: Readable & MaybeTty;
  readonly stdout: Writable & MaybeTty;
  readonly stderr: Writable & MaybeTty;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user interrupts the command (SIGINT, SIGTERM). */
  readonly signal: AbortSignal;
}

/** Writes and waits while the reader is behind, so that long output never piles up in memory. */
export async function write(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text) && !stream.destroyed) await once(stream, "drain");
}

/** One line of text on standard output. */
export async function printLine(terminal: Terminal, line: string): Promise<void> {
  await write(terminal.stdout, `${line}\n`);
}

/** One JSON value on standard output: indented for people at a terminal, on one line for programs. */
export async function printJson(terminal: Terminal, value: unknown): Promise<void> {
  await printLine(terminal, JSON.stringify(value, null, terminal.stdout.isTTY ? 2 : undefined));
}

const told = new WeakSet<Error>();

/** Marks an error whose result is on standard output already, so that `--json` still prints one value. */
export function markTold<T extends Error>(error: T): T {
  told.add(error);
  return error;
}

export function wasTold(error: Error): boolean {
  return told.has(error);
}
