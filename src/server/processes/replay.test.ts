// Tests that work begun again tells nothing twice, nothing less, and never something else.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SummaryEvent } from "../../summarize/summarizer.js";
import { createReplay } from "./replay.js";

const token = (text: string): SummaryEvent => ({ type: "token", text });
const part = (index: number): SummaryEvent => ({ type: "part", index, of: 9, round: 0 });

/** Marks, and the texts between them put together. */
function merged(events: readonly SummaryEvent[]): string[] {
  const found: string[] = [];
  let text = "";
  for (const event of events) {
    if (event.type === "token") text += event.text;
    else {
      found.push(text, JSON.stringify(event));
      text = "";
    }
  }
  return [...found, text];
}

/** Cuts every text into pieces of at most so many characters. */
function cut(events: readonly SummaryEvent[], size: number): SummaryEvent[] {
  return events.flatMap((event) => {
    if (event.type !== "token") return [event];
    const pieces = event.text.match(new RegExp(`.{1,${size}}`, "gs")) ?? [];
    return pieces.map(token);
  });
}

const story = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.string({ minLength: 1, maxLength: 6 }).map(token) },
    { weight: 1, arbitrary: fc.nat(8).map(part) },
  ),
  { maxLength: 20 },
);

describe("a replay", () => {
  it("tells the whole once, wherever the work was cut off and however it is told again", () => {
    fc.assert(
      fc.property(
        story,
        fc.nat(40),
        fc.nat(40),
        fc.integer({ min: 1, max: 9 }),
        (events, ...at) => {
          const [first, second, size] = at;
          const heard: SummaryEvent[] = [];
          const replay = createReplay((event) => heard.push(event));
          for (const event of events.slice(0, first)) replay.onEvent(event);
          replay.again();
          for (const event of cut(events, size).slice(0, second)) replay.onEvent(event);
          replay.again();
          for (const event of events) replay.onEvent(event);
          expect(merged(heard)).toEqual(merged(events));
        },
      ),
      { seed: 5 },
    );
  });

  it.each<[string, SummaryEvent[], SummaryEvent[]]>([
    ["another text", [token("The ")], [token("A ")]],
    ["another text after the same", [token("The ha"), part(1)], [token("The hu"), part(1)]],
    ["another part", [part(0), token("x")], [part(1)]],
    ["a part where text was", [token("x")], [part(0)]],
    ["text where a part was", [part(0)], [token("x")]],
    ["a longer text before a part", [token("x"), part(1)], [token("xy")]],
  ])("does not pass on %s", (_, before, after) => {
    const heard: SummaryEvent[] = [];
    const replay = createReplay((event) => heard.push(event));
    for (const event of before) replay.onEvent(event);
    replay.again();
    expect(() => {
      for (const event of after) replay.onEvent(event);
    }).toThrow(expect.objectContaining({ code: "WORKER_LOST" }));
    expect(heard).toEqual(before);
  });
});
