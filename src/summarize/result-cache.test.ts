// Tests what is kept, for whom it is found again, what equal work under way costs, and what is never kept.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BridleError } from "../errors/error.js";
import { canonicalJson, createResultCache, resultKey } from "./result-cache.js";
import type { SummarizeOptions, Summarizer, SummaryEvent, SummaryResult } from "./summarizer.js";

interface Played extends Summarizer {
  version: string;
  /** Documents asked for, in order. */
  readonly asked: string[];
  readonly gone: string[];
  /** Ends what is under way, oldest first. */
  finish(error?: BridleError): void;
}

/** A model whose work ends when the test says so. */
function play(defaults: Summarizer["defaults"] = {}): Played {
  const ends: ((error?: BridleError) => void)[] = [];
  const played: Played = {
    ...{ model: "news", version: "1", supportedParameters: [], defaults },
    traits: {
      ...{ kind: "neural", device: "cpu", dtype: "fp32" },
      limits: { maxInputTokens: 64, maxNewTokens: 64 },
    },
    asked: [],
    gone: [],
    summarize(document, { signal, onEvent }: SummarizeOptions = {}) {
      played.asked.push(document);
      const { version } = played;
      onEvent?.({ type: "token", text: "Of " });
      return new Promise<SummaryResult>((resolve, reject) => {
        signal?.addEventListener("abort", () => {
          played.gone.push(document);
          reject(new BridleError("CANCELLED"));
        });
        ends.push((error) => {
          if (error !== undefined) return reject(error);
          onEvent?.({ type: "token", text: document });
          resolve({
            ...{ summary: `Of ${document}`, model: "news", version, finishReason: "stop" },
            ...{ truncated: false, sources: [{ start: 0, end: document.length }] },
            usage: { inputTokens: 1, usedTokens: 1, outputTokens: 2, chunks: 1 },
            timingsMs: { queue: 1, generate: 2, total: 3 },
          });
        });
      });
    },
    warmUp: async () => {},
    close: async () => {},
    finish: (error) => ends.shift()?.(error),
  };
  return played;
}

const roomy = 1_000_000;

/** Asks and lets the work end at once. */
async function ask(
  cache: ReturnType<typeof createResultCache>,
  model: Played,
  document: string,
  options: SummarizeOptions = {},
) {
  const asking = cache.summarize(model, document, options);
  model.finish();
  return await asking;
}

describe("what decides a summary", () => {
  it("is written the same whatever the order of its members, and differs where they do", () => {
    expect(canonicalJson({ b: [{ y: 1, x: 2 }], a: undefined })).toBe('{"b":[{"x":2,"y":1}]}');
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
      }),
    );
  });

  it("is the text, the model, its version and the parameters", () => {
    const model = { model: "news", version: "1" };
    const keys = [
      resultKey(model, "a"),
      resultKey(model, "b"),
      resultKey({ ...model, version: "2" }, "a"),
      resultKey({ ...model, model: "law" }, "a"),
      resultKey({ ...model, digest: "d" }, "a"),
      resultKey(model, "a", { numBeams: 2 }),
      resultKey(model, "a", { numBeams: 2, lengthPenalty: 1 }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(resultKey(model, "a", { lengthPenalty: 1, numBeams: 2 })).toBe(keys[6]);
    expect(resultKey(model, "a", {})).toBe(keys[0]);
  });
});

describe("a summary", () => {
  it("is made once, and found from then on, told as one token", async () => {
    const [cache, model] = [createResultCache(roomy), play()];
    const first = await ask(cache, model, "harbours");
    expect(first.outcome).toBe("miss");
    expect(first.result).not.toHaveProperty("cached");
    const told: SummaryEvent[] = [];
    const again = await cache.summarize(model, "harbours", {
      onEvent: (event) => told.push(event),
    });
    expect(again).toEqual({
      outcome: "hit",
      result: { ...first.result, cached: true, timingsMs: { total: expect.any(Number) } },
    });
    expect(told).toEqual([{ type: "token", text: "Of harbours" }]);
    expect(cache.find(model, "harbours", {})?.summary).toBe("Of harbours");
    expect(cache.find(model, "rivers", {})).toBeUndefined();
    expect(model.asked).toEqual(["harbours"]);
  });

  it("of a model that has changed is made anew, also where it changed meanwhile", async () => {
    const [cache, model] = [createResultCache(roomy), play()];
    await ask(cache, model, "harbours");
    model.version = "2";
    const asking = cache.summarize(model, "harbours", {});
    expect(model.asked).toHaveLength(2);
    model.version = "3";
    model.finish();
    expect((await asking).result.version).toBe("2");
    expect(cache.find(model, "harbours", {})).toBeUndefined();
    model.version = "1";
    expect(cache.find(model, "harbours", {})?.version).toBe("1");
  });

  it("that is drawn is kept only where its seed was said", async () => {
    const cache = createResultCache(roomy);
    for (const model of [play(), play({ doSample: true })]) {
      const parameters = model.defaults.doSample === true ? {} : { doSample: true };
      const options = { parameters };
      expect((await ask(cache, model, "x", options)).outcome).toBe("bypass");
      expect((await ask(cache, model, "x", options)).outcome).toBe("bypass");
      expect(cache.find(model, "x", options)).toBeUndefined();
    }
    const seeded = { parameters: { doSample: true, seed: 0 } };
    const model = play();
    expect((await ask(cache, model, "x", seeded)).outcome).toBe("miss");
    expect((await cache.summarize(model, "x", seeded)).outcome).toBe("hit");
  });

  it("that failed is not kept", async () => {
    const [cache, model] = [createResultCache(roomy), play()];
    const failing = cache.summarize(model, "x", {});
    model.finish(new BridleError("LOGITS_INVALID"));
    await expect(failing).rejects.toMatchObject({ code: "LOGITS_INVALID" });
    expect((await ask(cache, model, "x")).outcome).toBe("miss");
  });
});

describe("room", () => {
  it("goes to what was asked for last, and never beyond the limit", async () => {
    const [cache, model] = [createResultCache(5000), play()];
    for (const name of ["a", "b", "c", "d"]) await ask(cache, model, name);
    expect(cache.find(model, "a", {})).toBeDefined();
    await ask(cache, model, "e");
    expect(cache.sizeBytes).toBeLessThanOrEqual(5000);
    expect(cache.find(model, "a", {})).toBeDefined();
    expect(cache.find(model, "b", {})).toBeUndefined();
    await ask(cache, model, "x".repeat(3000));
    expect(cache.sizeBytes).toBeLessThanOrEqual(5000);
    expect(cache.count).toBeGreaterThan(0);
  });
});

describe("equal work under way", () => {
  it("is done once for all who ask", async () => {
    const [cache, model] = [createResultCache(roomy), play()];
    const asking = [1, 2, 3].map(() => cache.summarize(model, "x", {}));
    model.finish();
    const answers = await Promise.all(asking);
    expect(answers.map(({ outcome }) => outcome)).toEqual(["miss", "shared", "shared"]);
    expect(answers.map(({ result }) => result.cached)).toEqual([undefined, true, true]);
    expect(model.asked).toEqual(["x"]);
  });

  it("goes on when whoever began it leaves, and ends when the last one does", async () => {
    const [cache, model] = [createResultCache(roomy), play()];
    const [first, second] = [new AbortController(), new AbortController()];
    const told: SummaryEvent[] = [];
    const began = cache.summarize(model, "x", {
      signal: first.signal,
      onEvent: (event) => told.push(event),
    });
    const joined = cache.summarize(model, "x", { signal: second.signal });
    first.abort();
    await expect(began).rejects.toMatchObject({ code: "CANCELLED" });
    expect(model.gone).toEqual([]);
    model.finish();
    expect((await joined).result.summary).toBe("Of x");
    expect(told).toEqual([{ type: "token", text: "Of " }]);

    const leaving = [first, second].map(() => new AbortController());
    const both = leaving.map(({ signal }) => cache.summarize(model, "y", { signal }));
    for (const each of leaving) each.abort(new DOMException("late", "TimeoutError"));
    for (const each of both)
      await expect(each).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(model.gone).toEqual(["y"]);
    // Nobody joins what has been given up.
    const next = cache.summarize(model, "y", {});
    expect(model.asked).toEqual(["x", "y", "y"]);
    model.finish();
    model.finish();
    expect((await next).outcome).toBe("miss");
  });

  it("is not waited for in a pile of work by somebody who waits", async () => {
    const [cache, model] = [createResultCache(roomy), play()];
    const pile = cache.summarize(model, "x", { priority: "batch" });
    const somebody = cache.summarize(model, "x", {});
    expect(model.asked).toHaveLength(2);
    model.finish();
    model.finish();
    expect((await pile).outcome).toBe("miss");
    expect((await somebody).outcome).toBe("miss");
  });

  it("is not shared by who asks for a version and who takes any", async () => {
    const cache = createResultCache(roomy);
    const model = play();
    const pinned: Summarizer = { ...model, pinned: 1 };
    const both = [model, pinned].map((each) => cache.summarize(each, "a", {}));
    expect(model.asked).toEqual(["a", "a"]);
    model.finish();
    model.finish(new BridleError("MODEL_NOT_FOUND", { model: "news:1", available: "news" }));
    expect((await both[0])?.outcome).toBe("miss");
    await expect(both[1]).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
  });

  it("that fails is told to all", async () => {
    const [cache, model] = [createResultCache(roomy), play()];
    const both = [1, 2].map(() => cache.summarize(model, "x", {}));
    model.finish(new BridleError("LOGITS_INVALID"));
    for (const each of both) await expect(each).rejects.toMatchObject({ code: "LOGITS_INVALID" });
  });
});
