// Tests what long work shows of itself, at a terminal and elsewhere.
import { describe, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { formatDuration, openProgress } from "./progress.js";

const state = (done: number, note?: string) => ({
  done,
  total: 200,
  items: done / 2,
  itemsInAll: done / 2 + 5,
  ...(note === undefined ? {} : { note }),
});

describe("openProgress", () => {
  it("writes plain lines with share, count, rate and time left where nobody watches", async () => {
    const terminal = createMemoryTerminal();
    const progress = await openProgress(terminal, "rows", 0);
    progress.update(state(0));
    progress.update(state(20));
    progress.update(state(50, "2 failed"));
    progress.stop();
    const lines = terminal.err().split("\n");
    expect(lines[0]).toMatch(/^0 %: 5 rows, 0\.0 rows\/s, unknown left$/);
    expect(lines[2]).toMatch(/^25 %: 30 rows, 2 failed, \d+ rows\/s, \d+ s left$/);
    expect(terminal.err()).not.toContain("\u001b");
  });

  it("does not write a line for every update", async () => {
    const terminal = createMemoryTerminal();
    const progress = await openProgress(terminal, "rows");
    for (let done = 0; done < 200; done += 1) progress.update(state(done));
    progress.stop();
    expect(terminal.err()).toBe("");
  });

  it("draws a bar at a terminal, up to its last state", async () => {
    const terminal = createMemoryTerminal({ isTTY: true });
    const progress = await openProgress(terminal, "rows");
    progress.update(state(20));
    progress.update(state(200, "1 failed"));
    progress.stop();
    expect(terminal.err()).toContain("█");
    expect(terminal.err()).toContain("100 % | 105 rows, 1 failed");
  });
});

describe("formatDuration", () => {
  it.each([
    [0.2, "0 s"],
    [59.4, "59 s"],
    [200, "3 min 20 s"],
    [7500, "2 h 5 min"],
    [-1, "0 s"],
  ])("reads %d seconds as %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
