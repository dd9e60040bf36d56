// Turns a page of the user's guide into one shell script that types what the page tells a reader to type.

export interface Block {
  /** What follows the back-ticks: `sh`, `sh no-run`, `json`. */
  readonly info: string;
  readonly text: string;
  /** Line of the page on which the block opens. */
  readonly line: number;
}

/** Every fenced block of a Markdown page, in order. */
export function readBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { fence: string; info: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of markdown.split(/\r?\n/).entries()) {
    const fence = /^(`{3,})\s*(.*?)\s*$/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { fence: fence[1]!, info: fence[2]!, line: index + 1, lines: [] };
    } else if (fence !== null && fence[1]!.length >= open.fence.length && fence[2] === "") {
      blocks.push({ info: open.info, text: `${open.lines.join("\n")}\n`, line: open.line });
      open = undefined;
    } else open.lines.push(line);
  }
  return blocks;
}

/** Ports that the page names, in order: `localhost:8000`, `--port 8123`, `PORT=8124`; and 8000, the default. */
export function readPorts(blocks: readonly Block[]): number[] {
  const ports = new Set([8000]);
  for (const { text } of blocks)
    for (const match of text.matchAll(portNames)) ports.add(Number(match[2]));
  return [...ports];
}

const portNames = /((?:localhost|127\.0\.0\.1):|--port[ =]|\bPORT=)(\d{4,5})\b/g;
const serverCommand = /^\s*(?:[A-Z_]+=\S*\s+)*(?:bridle serve|npm start)\b/;

/**
 * One bash script out of a page's `sh` blocks. A server (`bridle serve`, `npm start`) goes to the background,
 * whether the page says `&` or leaves that to a second terminal, and the next line waits until it is ready.
 * @param ports the free port that stands in for each of the page's
 */
export function toScript(blocks: readonly Block[], ports: ReadonlyMap<number, number>): string {
  const lines = [
    "set -euo pipefail",
    // Job control off: the servers stay in this script's process group, which is ended as a whole.
    "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT",
    `trap 'printf "line %s of the page: this failed with %s: %s\\n" "$page_line" "$?" "$BASH_COMMAND" >&2' ERR`,
    "await_server() {",
    "  for _ in $(seq 600); do",
    '    if curl --silent --output /dev/null --fail "http://127.0.0.1:$1/ready"; then return 0; fi',
    '    if ! kill -0 "$2" 2>/dev/null; then echo "the server ended" >&2; return 1; fi',
    "    sleep 0.1",
    "  done",
    '  echo "no server on port $1" >&2; return 1',
    "}",
  ];
  for (const block of blocks) {
    lines.push(`page_line=${block.line}`);
    for (const { command, isData } of logicalLines(withPorts(block.text, ports))) {
      if (isData || !serverCommand.test(command)) {
        lines.push(command);
        continue;
      }
      const started = command
        .trimEnd()
        .replace(/\s*&$/, "")
        .replace(/\bnpm start\b/, "bridle serve");
      const port = /(?:--port[ =]|\bPORT=)(\d+)/.exec(started)?.[1] ?? ports.get(8000);
      lines.push(`${started} &`, `await_server ${port} "$!"`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function withPorts(text: string, ports: ReadonlyMap<number, number>): string {
  return text.replaceAll(portNames, (whole, before: string, port: string) => {
    const free = ports.get(Number(port));
    return free === undefined ? whole : `${before}${free}`;
  });
}

interface LogicalLine {
  readonly command: string;
  /** Text of a heredoc, which is no command whatever it looks like. */
  readonly isData: boolean;
}

/** Lines with what a trailing backslash continues joined to them. */
function logicalLines(text: string): LogicalLine[] {
  const joined: LogicalLine[] = [];
  let heredocEnd: string | undefined;
  for (const line of text.split("\n")) {
    const last = joined.at(-1);
    if (heredocEnd !== undefined) {
      joined.push({ command: line, isData: true });
      if (line.trim() === heredocEnd) heredocEnd = undefined;
      continue;
    }
    if (last && !last.isData && last.command.endsWith("\\") && !isComment(last.command)) {
      joined[joined.length - 1] = { command: `${last.command}\n${line}`, isData: false };
    } else joined.push({ command: line, isData: false });
    heredocEnd = /<<-?\s*['"]?(\w+)['"]?/.exec(line)?.[1];
  }
  return joined;
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}
