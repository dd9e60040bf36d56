// A service for tests of the HTTP layer: a summarizer and a reader that are small, honest and can be told to be slow.
import type { Service } from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import { BridleError } from "../../src/errors/error.js";
import type { BuiltFiles } from "../../src/server/app.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { extractiveTraits } from "../../src/summarize/extractive/parameters.js";
import type {
  SummarizeOptions,
  Summarizer,
  SummaryResult,
} from "../../src/summarize/summarizer.js";

export interface ToyOptions {
  /** Documents that begin with this word are not finished until `release` is called or their signal fires. */
  readonly slowWord?: string;
}

export interface ToyService extends Service {
  /** Documents being worked on. */
  readonly running: number;
  /** How many were cancelled by their signal. */
  readonly cancelled: number;
  release(): void;
}

/** Takes the first sentences of a text. */
export function createToyService({ slowWord = "SLOW" }: ToyOptions = {}): ToyService {
  let running = 0;
  let cancelled = 0;
  let waiting: (() => void)[] = [];

  async function hold(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      waiting.push(resolve);
      signal?.addEventListener("abort", () => {
        cancelled += 1;
        const timedOut = (signal.reason as Error).name === "TimeoutError";
        reject(new BridleError(timedOut ? "DEADLINE_EXCEEDED" : "CANCELLED", { timeoutMs: 0 }));
      });
    });
  }

  const summarizer: Summarizer = {
    model: "toy",
    version: "1",
    traits: extractiveTraits,
    supportedParameters: ["sentences", "ratio", "maxWords"],
    defaults: { sentences: 1 },
    async summarize(document: string, options: SummarizeOptions = {}): Promise<SummaryResult> {
      running += 1;
      try {
        if (!/[\p{L}\p{N}]/u.test(document))
          throw new BridleError("EMPTY_TEXT", { where: "the document" });
        if (document.startsWith("CRASH")) throw new TypeError(`secret ${document}`);
        if (document.startsWith(slowWord)) await hold(options.signal);
        options.onEvent?.({ type: "part", index: 0, of: 1, round: 0 });
        const sentences = [...document.matchAll(/[^.]+\.?\s*/g)].slice(
          0,
          options.parameters?.sentences ?? 1,
        );
        const end = sentences.reduce((sum, [text]) => sum + text.length, 0);
        const summary = document.slice(0, end).trim();
        const words = (text: string): number => text.split(/\s+/).filter(Boolean).length;
        options.onEvent?.({ type: "token", text: summary });
        return {
          summary,
          model: "toy",
          version: "1",
          finishReason: "stop",
          truncated: false,
          usage: {
            inputTokens: words(document),
            usedTokens: words(document),
            outputTokens: words(summary),
            chunks: 1,
          },
          sources: [{ start: 0, end }],
          timingsMs: { total: 1 },
        };
      } finally {
        running -= 1;
      }
    },
    warmUp: async () => {},
    close: async () => {},
  };

  return {
    version: "0.0.0-test",
    summarizers: new Map([
      ["toy", summarizer],
      ["org/toy", summarizer],
    ]),
    reader: {
      async read(bytes) {
        return {
          text: Buffer.from(bytes).toString("utf8"),
          format: "txt",
          encoding: "utf-8",
          warnings: [],
        };
      },
      close: async () => {},
    },
    warmUp: async () => {},
    close: async () => {},
    get running() {
      return running;
    },
    get cancelled() {
      return cancelled;
    },
    release() {
      for (const resolve of waiting) resolve();
      waiting = [];
    },
  };
}

export interface ToyServer extends RunningServer {
  readonly service: ToyService;
  /** Lines logged so far. */
  readonly lines: readonly string[];
}

/** Starts a server on a free port over a toy service. */
export async function startToy(
  config: ServeConfigInput = {},
  files: BuiltFiles = { dashboard: "/nonexistent", docs: "/nonexistent" },
): Promise<ToyServer> {
  const service = createToyService();
  const lines: string[] = [];
  const server = await startServer(
    resolveServeConfig({ port: 0, logFormat: "json", ...config }, {}),
    service,
    { logDestination: { write: (line: string) => void lines.push(line) }, files },
  );
  return { ...server, service, lines };
}

/** Waits until something holds, asking again every few milliseconds; fails through the test's own time limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}
