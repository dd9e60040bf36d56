// Runs one command, tells its error in words or as JSON, and maps it to an exit code.
import process from "node:process";
import { kinds } from "../errors/codes.js";
import { type BridleError, toBridleError } from "../errors/error.js";
import { writeError } from "../errors/file-errors.js";
import { plainText } from "./plain-text.js";
import { runProgram } from "./program.js";
import { wasTold } from "./terminal.js";

const interrupted = new AbortController();
const signalCodes = { SIGINT: 130, SIGTERM: 143 } as const;
let endedBy: keyof typeof signalCodes | undefined;

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // The first one lets work in hand finish; the second one does not wait.
    if (endedBy !== undefined) process.exit(signalCodes[signal]);
    endedBy = signal;
    interrupted.abort();
  });
}

// A reader that has seen enough, such as `head`, closes the pipe: nothing is wrong then.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") endUnwritable(stream, error);
    if (stream === process.stdout) process.exit(process.exitCode ?? 0);
  });
}

const args = process.argv.slice(2);
try {
  await runProgram(args, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: interrupted.signal,
  });
} catch (thrown) {
  const error = toBridleError(thrown);
  const wasStopped = endedBy !== undefined && error.code === "CANCELLED";
  if (!wasStopped) tell(error, args.includes("--json"));
  process.exitCode = wasStopped ? signalCodes[endedBy!] : kinds[error.kind].exit;
}

/** What was to be read by others is not whole, as on a full disk; JSON of the error would have no place either. */
function endUnwritable(stream: NodeJS.WriteStream, thrown: Error): never {
  const isOutput = stream === process.stdout;
  const error = writeError(thrown, isOutput ? "standard output" : "standard error");
  if (isOutput) tell(error, false);
  process.exit(kinds[error.kind].exit);
}

function tell(error: BridleError, asJson: boolean): void {
  const { code, kind, message, hint } = error;
  if (asJson && wasTold(error)) return;
  if (asJson) {
    process.stdout.write(`${JSON.stringify({ error: { code, kind, message, hint } })}\n`);
    return;
  }
  process.stderr.write(plainText(`bridle: ${message}\n  ${hint}\n`));
  if (kind === "bug" || process.env.BRIDLE_DEBUG) {
    process.stderr.write(`${stackOf(error)}\n`);
  }
}

/** The stack of an error and of what caused it; an error of the system may have none of its own. */
function stackOf(error: BridleError): string {
  const { cause } = error;
  if (!(cause instanceof Error)) return error.stack ?? error.message;
  return `${error.stack}\nCaused by: ${cause.stack ?? cause.message}`;
}
