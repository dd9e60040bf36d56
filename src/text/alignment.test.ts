// Sentences lead back to where their words come from: whole, shortened, joined of two, in any script; and others do not.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ratesOf } from "../../test/support/alignment-rates.mjs";
import { alignSummary } from "./alignment.js";
import { seededRandom } from "./seeded-random.js";
import { splitSentences } from "./sentences.js";

const document = [
  "The harbour was closed on Monday after a storm had damaged two of its four piers.",
  "Nobody was hurt, the harbour master said in the evening.",
  "Ferries to the islands were sent to the next port, which is forty kilometres away.",
  "Fishermen lost nets and boats worth more than two million crowns.",
  "The town council meets on Thursday to decide who pays for the repairs.",
  "Schools on the islands stayed closed because teachers could not cross.",
].join(" ");

async function leadsTo(summary: string, text = document): Promise<string[][]> {
  return (await alignSummary(text, summary)).map(({ sources }) =>
    sources.map(({ start, end }) => text.slice(start, end).trim()),
  );
}
const sentence = (place: number) => `${document.split(/(?<=\.) /)[place]}`;

describe("alignSummary", () => {
  it.each([
    ["The town council meets on Thursday to decide who pays for the repairs.", 4],
    ["A storm damaged two piers of the harbour, which was closed on Monday.", 0],
    ["Fishermen have lost boats and nets worth two million crowns.", 3],
    ["Ferries were sent to the next port.", 2],
  ])("leads %j back", async (summary, place) => {
    expect(await leadsTo(summary)).toEqual([[sentence(place)]]);
  });

  it("tells two sentences that one was made of, and each of several by itself", async () => {
    const found = await leadsTo(
      "Schools on the islands stayed closed and ferries to the islands were sent to the next port. Nobody was hurt.",
    );
    expect(found).toEqual([[sentence(2), sentence(5)], [sentence(1)]]);
  });

  it("tells none where no more is shared than by any two sentences", async () => {
    expect(await leadsTo("The minister of health praised the new clinic in the capital.")).toEqual([
      [],
    ]);
    expect(await leadsTo("Storms are the subject of a book on weather.")).toEqual([[]]);
  });

  it("reads scripts without spaces, and other than Latin ones", async () => {
    const japanese = "港は月曜日に閉鎖された。嵐が二つの桟橋を壊した。漁師たちは船を失った。";
    expect(await leadsTo("嵐で桟橋が壊れた。", japanese)).toEqual([["嵐が二つの桟橋を壊した。"]]);
    const russian = "Порт закрыли в понедельник. Шторм повредил два причала. Никто не пострадал.";
    expect(await leadsTo("Два причала повредил шторм.", russian)).toEqual([
      ["Шторм повредил два причала."],
    ]);
  });

  it("gives places in both texts, and nothing for nothing", async () => {
    const summary = "Nobody was hurt. Ferries were sent to the next port.";
    const [first, second] = await alignSummary(document, summary);
    expect(summary.slice(first?.start, first?.end).trim()).toBe("Nobody was hurt.");
    expect(second?.sources[0]?.score).toBeGreaterThan(0.5);
    expect(await alignSummary("", "Nobody was hurt.")).toMatchObject([{ sources: [] }]);
    expect(await alignSummary(document, "")).toEqual([]);
    expect(await alignSummary(document, "…")).toMatchObject([{ sources: [] }]);
  });

  it("leads sentences that were shortened, turned round or joined back, and those of another text nowhere", async () => {
    const folder = fileURLToPath(
      new URL("../../dashboard/src/playground/samples/", import.meta.url),
    );
    const samples = readdirSync(folder).map((name) => readFileSync(folder + name, "utf8"));
    const rates = await ratesOf(samples, { alignSummary, splitSentences, seededRandom });
    for (const [kind, least] of [
      ["shortened", 0.95],
      ["reordered", 0.95],
      ["joined", 0.9],
      ["foreign", 0.95],
    ] as const) {
      const { cases, right } = rates[kind];
      expect(cases).toBeGreaterThan(40);
      expect(right / cases, kind).toBeGreaterThanOrEqual(least);
    }
  });

  it("tells the same for sentences that are alike, the first of the document's", async () => {
    const text = `${"Ships sailed home. ".repeat(40)}Nets were lost. ${"Ships sailed home. ".repeat(40)}`;
    const summary = "Ships sailed home. Nets were lost. Ships sailed home.";
    const [first, other, again] = (await alignSummary(text, summary)).map(({ sources }) => sources);
    expect(first).toEqual([{ start: 0, end: 18, score: 1 }]);
    expect(other).toMatchObject([{ start: 760 }]);
    expect(again).toEqual(first);
    // A sentence that says it twice is made of two of them.
    const twice = await alignSummary(text, "Ships sailed home and ships sailed home.");
    expect(twice[0]?.sources.map(({ start }) => start)).toEqual([0, 19]);
  });

  it("is soon done with what says the same again and again", { timeout: 20_000 }, async () => {
    const found = await alignSummary("Ships sailed.", "Ships sailed. ".repeat(70_000));
    expect(found).toHaveLength(70_000);
    expect(found.at(-1)?.sources).toEqual([{ start: 0, end: 13, score: 1 }]);
    const document = await alignSummary(
      "Ships sailed. ".repeat(70_000),
      "Ships sailed. Ships sailed.",
    );
    expect(document.map(({ sources }) => sources.length)).toEqual([1, 1]);
  });

  it("lets others run between the sentences of a summary too", async () => {
    const summary = Array.from({ length: 4500 }, (_, n) => `Pier ${n} of ${n * 7} was closed.`);
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await alignSummary("Pier 3 of 21 was closed.", summary.join(" "));
    isDone = true;
    expect(turns).toBeGreaterThan(2);
  });

  it("refuses a summary of more sentences, or longer, than any is", async () => {
    const many = Array.from({ length: 5001 }, (_, n) => `Pier ${n} was closed.`).join(" ");
    for (const summary of [many, "Ships sailed. ".repeat(150_000)]) {
      await expect(alignSummary(document, summary)).rejects.toMatchObject({
        code: "TEXT_TOO_LARGE",
        kind: "too-large",
      });
    }
  });

  it("ends when nobody waits for it any more", async () => {
    const long = Array.from({ length: 4000 }, (_, n) => `The pier number ${n} was closed.`);
    const stopped = new AbortController();
    stopped.abort(new Error("gone"));
    await expect(
      alignSummary(long.join(" "), "A pier was closed.", stopped.signal),
    ).rejects.toThrow("gone");
  });
});
