// Names of what is served: every spelling of an alias, and the number of a version for as long as an alias is at it.
import { describe, expect, it } from "vitest";
import { extractiveTraits } from "../summarize/extractive/parameters.js";
import type { Summarizer, SummaryResult } from "../summarize/summarizer.js";
import { getLasting, getServed, type Served, servedKey } from "./served-names.js";

/** An alias that moves when it is told to, also in the middle of a document. */
class Alias implements Summarizer {
  readonly traits = extractiveTraits;
  readonly supportedParameters = ["sentences"];
  readonly defaults = { sentences: 1 };
  moving: string | undefined;

  readonly model: string;
  version: string;

  constructor(model: string, version: string) {
    this.model = model;
    this.version = version;
  }

  async summarize(document: string): Promise<SummaryResult> {
    this.version = this.moving ?? this.version;
    return { summary: document, model: this.model, version: this.version } as SummaryResult;
  }

  async warmUp(): Promise<void> {}
  async close(): Promise<void> {}
}

const serve = (followed: readonly string[], fixed: readonly string[] = []): Served => ({
  summarizers: new Map(
    [...followed, ...fixed].map((name): [string, Summarizer] => [name, new Alias(name, "7")]),
  ),
  followed: new Set(followed),
});
const missing = (text: string) =>
  expect.objectContaining({ code: "MODEL_NOT_FOUND", hint: expect.stringContaining(text) });

describe("a name of what is served", () => {
  it.each([
    ["news", ["news", "news@champion", "news:7"]],
    ["news@champion", ["news@champion", "news", "news:7"]],
    ["news@live", ["news@live", "news:7"]],
  ])("%s is answered under every spelling of it", (name, spellings) => {
    const served = serve([name]);
    const key = name === "news" ? "news@champion" : name;
    expect(servedKey(served, name)).toBe(key);
    for (const spelling of [undefined, ...spellings]) {
      const found = getServed(served, spelling);
      expect([found.key, found.summarizer.model], spelling).toEqual([key, name]);
    }
    for (const other of ["sport", "news@candidate", "news:8", "news:", "", "News"])
      expect(() => getServed(served, other), other).toThrow(missing(`${name} (version 7 now)`));
  });

  it("that is a folder's, a number's or the hub's is answered as it was given alone", () => {
    const served = serve([], ["news", "sport:3", "google/pegasus-xsum"]);
    for (const name of served.summarizers.keys()) {
      expect(getServed(served, name)).toMatchObject({ key: name });
      expect(getServed(served, name)).not.toHaveProperty("pinned");
    }
    // "news" lies in a folder here: it is not the registry's.
    for (const other of ["news@champion", "news:7", "sport", "sport@champion"])
      expect(() => getServed(served, other), other).toThrow(missing("news, sport:3, google/"));
  });

  it("is that of a folder before that of an alias", () => {
    const served = serve(["news@champion"], ["news"]);
    expect(getServed(served, "news").key).toBe("news");
    expect(getServed(served, "news@champion").summarizer.model).toBe("news@champion");
  });

  it("is a number with rounded weights too", () => {
    const served = serve(["news@champion"]);
    (served.summarizers.get("news@champion") as Alias).version = "7-int8";
    expect(getServed(served, "news:7").pinned).toBe(7);
  });
});

describe("a number that an alias is at", () => {
  it("is never answered by another version, wherever the alias moves", async () => {
    const served = serve(["news@champion"]);
    const alias = served.summarizers.get("news@champion") as Alias;
    const { summarizer } = getServed(served, "news:7");
    expect(summarizer).toMatchObject({ version: "7", supportedParameters: ["sentences"] });
    expect((await summarizer.summarize("One.")).version).toBe("7");
    alias.moving = "8";
    await expect(summarizer.summarize("One.")).rejects.toThrow(missing("version 8 now"));
    await expect(summarizer.summarize("One.")).rejects.toThrow(missing("version 8 now"));
    expect(() => getServed(served, "news:7")).toThrow(missing("version 8 now"));
  });

  it("is not promised to work that lasts", () => {
    const served = serve(["news"]);
    expect(getLasting(served, "news").key).toBe("news@champion");
    expect(getLasting(serve([], ["news:7"]), "news:7").key).toBe("news:7");
    expect(() => getLasting(served, "news:7")).toThrow(
      missing("news@champion, which is at version 7"),
    );
  });
});
