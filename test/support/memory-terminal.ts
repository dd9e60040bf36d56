// A terminal in memory: what a command writes can be read, and what it reads can be said.
import { PassThrough, Readable } from "node:stream";
import type { Terminal } from "../../src/cli/terminal.js";

export interface MemoryTerminal extends Terminal {
  readonly out: () => string;
  readonly err: () => string;
  readonly interrupt: () => void;
}

function collect(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  let text = "";
  stream.on("data", (chunk) => {
    text += chunk;
  });
  return { stream, text: () => text };
}

/** @param options what is on standard input, and whether somebody sits there */
export function createMemoryTerminal(
  options: { stdin?: string; isTTY?: boolean; env?: Record<string, string> } = {},
): MemoryTerminal {
  const { stdin = "", isTTY = false, env = {} } = options;
  const out = collect(isTTY);
  const err = collect(isTTY);
  const interrupted = new AbortController();
  return {
    stdin: Object.assign(Readable.from([Buffer.from(stdin)]), { isTTY }),
    stdout: out.stream,
    stderr: err.stream,
    env,
    signal: interrupted.signal,
    out: out.text,
    err: err.text,
    interrupt: () => interrupted.abort(),
  };
}
