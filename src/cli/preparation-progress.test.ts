// Tests what the download and the rounding of a model show: a line and a bar at a terminal, plain lines elsewhere, nothing where all is there.
import { describe, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { showPreparation } from "./preparation-progress.js";

const state = (doneMegabytes: number, repo = "reed/toy") => ({
  repo,
  endpoint: "https://hub.example",
  folder: "/cache/models--reed--toy",
  file: "model.safetensors",
  doneBytes: doneMegabytes * 1e6,
  totalBytes: 20e6,
  fetchedBytes: doneMegabytes * 1e6,
});

describe("showPreparation", () => {
  it("says what comes from where, and draws a bar up to the end at a terminal", async () => {
    const terminal = createMemoryTerminal({ isTTY: true });
    const answer = await showPreparation(terminal, async ({ onDownload }) => {
      for (const done of [0, 7, 20]) onDownload(state(done));
      return "the model";
    });
    expect(answer).toBe("the model");
    expect(terminal.err()).toMatch(
      /^Downloading reed\/toy \(20\.0 MB\) from https:\/\/hub\.example into \/cache\/models--reed--toy\n/,
    );
    expect(terminal.err()).toContain("100 % | 20 MB, model.safetensors");
  });

  it("writes plain lines where nobody watches, one beginning for each model", async () => {
    const terminal = createMemoryTerminal();
    await showPreparation(terminal, async ({ onDownload }) => {
      for (const done of [0, 7, 20]) onDownload(state(done));
      for (const done of [0, 20]) onDownload(state(done, "reed/other"));
    });
    expect(terminal.err().match(/^Downloading \S+/gm)).toEqual([
      "Downloading reed/toy",
      "Downloading reed/other",
    ]);
    expect(terminal.err()).not.toContain("\u001b");
  });

  it("says nothing of what is there already", async () => {
    const terminal = createMemoryTerminal();
    await showPreparation(terminal, async ({ onDownload }) => onDownload(state(20)));
    expect(terminal.err()).toBe("");
  });

  it("ends the bar and passes on what goes wrong", async () => {
    const terminal = createMemoryTerminal({ isTTY: true });
    const work = showPreparation(terminal, async ({ onDownload, signal }) => {
      onDownload(state(3));
      terminal.interrupt();
      signal.throwIfAborted();
    });
    await expect(work).rejects.toThrow();
    expect(terminal.err()).toContain("15 % | 3 MB");
  });

  it("names each part of rounding, with a bar of its own", async () => {
    const terminal = createMemoryTerminal({ isTTY: true });
    const rounding = (
      phase: "rounding" | "measuring" | "rounding-again" | "writing",
      done: number,
    ) => ({ folder: "/models/news", dtype: "int8" as const, phase, done, total: 4 });
    await showPreparation(terminal, async ({ onRounding }) => {
      for (const phase of ["rounding", "measuring", "rounding-again", "writing"] as const)
        for (const done of [1, 2, 3, 4]) onRounding(rounding(phase, done));
    });
    expect(terminal.err().match(/^.*\/models\/news.*$/gm)).toEqual([
      "Rounding the weights of /models/news (int8)",
      "Measuring what that does to /models/news (int8)",
      "Rounding anew, without the layers that suffer, /models/news (int8)",
      "Writing the copy of /models/news (int8)",
    ]);
    expect(terminal.err().match(/100 % \| 4 (tensors|documents)/g)).toHaveLength(4);
  });
});
