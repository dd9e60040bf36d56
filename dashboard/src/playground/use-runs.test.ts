// A draft grows as its events say.
import { describe, expect, it } from "vitest";
import type { SummaryEvent } from "../api/types.js";
import { type Draft, grow } from "./use-runs.js";

const blank: Draft = { text: "", part: undefined, sources: [] };
const after = (...events: SummaryEvent[]) => events.reduce(grow, blank);
const part = (index: number, round: number, of = 2): SummaryEvent => ({
  type: "part",
  index,
  of,
  round,
  ...(round === 0 && { source: { start: index * 10, end: index * 10 + 9 } }),
});
const token = (text: string): SummaryEvent => ({ type: "token", text });

describe("a draft", () => {
  it("is its tokens, one after another", () => {
    expect(after(token("One"), token(" two")).text).toBe("One two");
  });

  it("keeps the text of earlier parts, and the places of all", () => {
    const draft = after(part(0, 0), token("One."), part(1, 0), token("\nTwo."));
    expect(draft.text).toBe("One.\nTwo.");
    expect(draft.sources).toEqual([
      { start: 0, end: 9 },
      { start: 10, end: 19 },
    ]);
    expect(draft.part).toMatchObject({ index: 1, of: 2 });
  });

  it("begins anew with each later round, and keeps what was read", () => {
    const draft = after(part(0, 0), token("One."), part(1, 0), token("Two."), part(0, 1, 1));
    expect(draft.text).toBe("");
    expect(draft.sources).toHaveLength(2);
    expect(grow(draft, token("Both.")).text).toBe("Both.");
  });
});
