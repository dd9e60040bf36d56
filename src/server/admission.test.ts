// Tests that only so much is worked on at once, that the rest waits in order, and that the wait is bounded.
import { describe, expect, it } from "vitest";
import type { BridleError } from "../errors/error.js";
import { type Admission, createAdmission } from "./admission.js";
import { createDeferred } from "./deferred.js";

const never = new AbortController().signal;
/** Lets everything happen that follows from what has happened. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("admission", () => {
  it("works on as many as allowed, in order of arrival, and refuses beyond the queue", async () => {
    const admission = createAdmission({ concurrency: 2, queueLimit: 1, maxBufferedBytes: 10 });
    const first = admission.enter(never);
    const second = admission.enter(never);
    const third = admission.enter(never);
    expect([admission.active, admission.waiting]).toEqual([2, 1]);
    expect(() => admission.enter(never)).toThrow(expect.objectContaining({ code: "BUSY" }));
    expect(() => admission.checkRoom()).toThrow(expect.objectContaining({ code: "BUSY" }));
    first.leave();
    first.leave();
    await third.turn;
    expect([admission.active, admission.waiting]).toEqual([2, 0]);
    second.leave();
    third.leave();
    expect(admission.active).toBe(0);
  });

  it("lets a waiter go when its signal fires, and keeps its place for the next", async () => {
    const admission = createAdmission({ concurrency: 1, queueLimit: 2, maxBufferedBytes: 10 });
    const working = admission.enter(never);
    const leaving = new AbortController();
    const gone = admission.enter(leaving.signal);
    const next = admission.enter(never);
    leaving.abort(new Error("gone"));
    await expect(gone.turn).rejects.toThrow("gone");
    gone.leave();
    expect(admission.waiting).toBe(1);
    working.leave();
    await next.turn;
    expect(admission.active).toBe(1);
  });

  it("tells when to come back from the measured rate", async () => {
    let clock = 0;
    const admission = createAdmission(
      { concurrency: 2, queueLimit: 0, maxBufferedBytes: 10 },
      () => clock,
    );
    for (let round = 0; round < 3; round += 1) {
      const places = [admission.enter(never), admission.enter(never)];
      clock += 8000;
      for (const place of places) place.leave();
    }
    admission.enter(never);
    admission.enter(never);
    // Three pieces of 8 s each, two at a time.
    expect(() => admission.enter(never)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ retryAfterS: 12 }) }),
    );
  });

  it("tells at once whoever would wait in vain, and lets in who has time or need not wait", async () => {
    let clock = 0;
    const admission = createAdmission(
      { concurrency: 2, queueLimit: 10, maxBufferedBytes: 10 },
      () => clock,
    );
    // Nothing is known yet: nobody is refused for how long it might take.
    const [a, b, c] = [
      admission.enter(never, 1),
      admission.enter(never, 1),
      admission.enter(never, 1),
    ];
    c.leave();
    clock += 8000;
    for (const place of [a, b]) place.leave();
    expect(admission.active).toBe(0);
    const working = [admission.enter(never, 1), admission.enter(never, 1)];
    // The first in line waits for half of 8 s and takes 8 s; a fifth is for what nobody knows.
    expect(() => admission.enter(never, 14_000)).toThrow(
      expect.objectContaining({
        code: "DEADLINE_OUT_OF_REACH",
        details: { neededS: 15, leftS: 14, retryAfterS: 1 },
      }),
    );
    const waiting = admission.enter(never, 14_500);
    expect(() => admission.enter(never, 14_500)).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({ neededS: 20, retryAfterS: 5 }),
      }),
    );
    expect(admission.waiting).toBe(1);
    for (const place of [...working, waiting]) place.leave();
    admission.enter(never, 1).leave();
  });

  it("takes what one piece took alone for less than it takes with others, and for more than nothing", () => {
    let clock = 0;
    const limits = { concurrency: 4, queueLimit: 10, maxBufferedBytes: 10 };
    const admission = createAdmission(limits, () => clock);
    const alone = admission.enter(never);
    clock += 8000;
    alone.leave();
    for (let i = 0; i < 4; i += 1) admission.enter(never);
    // In nobody's way it would be 8 s again, on one processor 32 s: 16 s, of which the first in line waits for a quarter, and
    // a fifth more.
    expect(() => admission.enter(never, 23_000)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ neededS: 24 }) }),
    );
    admission.enter(never, 24_001);
  });

  it("believes those at work more than those that were, once they take longer", () => {
    let clock = 0;
    const limits = { concurrency: 2, queueLimit: 10, maxBufferedBytes: 10 };
    const admission = createAdmission(limits, () => clock);
    const quick = [admission.enter(never), admission.enter(never)];
    clock += 1000;
    for (const place of quick) place.leave();
    for (let i = 0; i < 2; i += 1) admission.enter(never);
    admission.enter(never, 2000);
    clock += 30_000;
    expect(() => admission.enter(never, 71_000)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ neededS: 72 }) }),
    );
  });

  it("tells who can no longer be done in time at its turn, and takes the next", async () => {
    let clock = 0;
    const limits = { concurrency: 1, queueLimit: 10, maxBufferedBytes: 10 };
    const admission = createAdmission(limits, () => clock);
    for (let round = 0; round < 9; round += 1) {
      const place = admission.enter(never);
      clock += 8000;
      place.leave();
    }
    const slow = admission.enter(never);
    const [hopeless, patient] = [admission.enter(never, 20_000), admission.enter(never, 60_000)];
    clock += 17_900;
    slow.leave();
    await expect(hopeless.turn).rejects.toMatchObject({
      code: "DEADLINE_OUT_OF_REACH",
      details: { neededS: 4, leftS: 2.1, retryAfterS: 18 },
    });
    await patient.turn;
    hopeless.leave();
    expect([admission.active, admission.waiting]).toEqual([1, 0]);
    patient.leave();
    expect(admission.active).toBe(0);
  });

  it("gives the place back when work fails", async () => {
    const admission = createAdmission({ concurrency: 1, queueLimit: 0, maxBufferedBytes: 10 });
    await expect(admission.run(never, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(admission.run(never, async () => 1)).resolves.toBe(1);
  });

  it("learns nothing from work that failed", async () => {
    let clock = 0;
    const admission = createAdmission(
      { concurrency: 1, queueLimit: 10, maxBufferedBytes: 10 },
      () => clock,
    );
    await admission.run(never, async () => {
      clock += 8000;
    });
    const contradictory = () => Promise.reject(new Error("no"));
    for (let i = 0; i < 50; i += 1)
      await expect(admission.run(never, contradictory)).rejects.toThrow("no");
    admission.enter(never);
    // Half of 8 s would be expected by now if failing at once were work.
    expect(() => admission.enter(never, 19_000)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ neededS: 20 }) }),
    );
  });

  it("bounds the bytes held", () => {
    const admission = createAdmission({ concurrency: 1, queueLimit: 0, maxBufferedBytes: 10 });
    admission.hold(6);
    expect(() => admission.hold(5)).toThrow(
      expect.objectContaining({ code: "TOO_MUCH_IN_FLIGHT" }),
    );
    admission.release(6);
    admission.hold(10);
    expect(admission.bufferedBytes).toBe(10);
  });
});

describe("piles of documents", () => {
  const limits = { concurrency: 4, queueLimit: 10, maxBufferedBytes: 10 };
  /** A pile that lasts until it is ended. */
  function hold(
    admission: Admission,
    documents = 1,
  ): { readonly begun: () => boolean; readonly end: () => void } {
    const { promise, resolve } = createDeferred();
    let begun = false;
    void admission.runPile(new AbortController().signal, documents, () => {
      begun = true;
      return promise;
    });
    return { begun: () => begun, end: resolve };
  }

  it("hold half of the places at most, and one document goes before them", async () => {
    const admission = createAdmission(limits);
    const piles = Array.from({ length: 4 }, () => hold(admission));
    const begun = () => piles.map((pile) => pile.begun());
    await settle();
    expect(begun()).toEqual([true, true, false, false]);
    expect([admission.active, admission.waiting]).toEqual([2, 2]);
    // Both others are there for those who come later.
    const [first, second] = [admission.enter(never), admission.enter(never)];
    const third = admission.enter(never);
    expect([admission.active, admission.waiting]).toEqual([4, 3]);
    piles[0]?.end();
    await third.turn;
    expect(begun()).toEqual([true, true, false, false]);
    first.leave();
    await settle();
    expect(begun()).toEqual([true, true, true, false]);
    // Nobody waits but a pile, for which there is no place.
    second.leave();
    await settle();
    expect([admission.active, admission.waiting]).toEqual([3, 1]);
  });

  it.each([1, 2, 5])(
    "have a place among %d, and no more than half rounded up",
    async (concurrency) => {
      const admission = createAdmission({ ...limits, concurrency });
      for (let i = 0; i < concurrency + 1; i += 1) hold(admission);
      await settle();
      expect(admission.active).toBe(Math.ceil(concurrency / 2));
    },
  );

  it("are refused where the line is full, as everybody is", async () => {
    const admission = createAdmission({ ...limits, queueLimit: 1 });
    for (let i = 0; i < 3; i += 1) hold(admission);
    await expect(admission.runPile(never, 1, async () => {})).rejects.toMatchObject({
      code: "BUSY",
    });
    expect(() => admission.checkRoom("batch")).toThrow(expect.objectContaining({ code: "BUSY" }));
    // There are places left for one document, and room in the line, before the pile that waits.
    const [first, second] = [admission.enter(never), admission.enter(never)];
    await Promise.all([first.turn, second.turn]);
    admission.checkRoom();
    const third = admission.enter(never);
    expect(() => admission.enter(never)).toThrow(expect.objectContaining({ code: "BUSY" }));
    first.leave();
    await third.turn;
  });

  it("that are refused are told to come when those before them are done, document by document", async () => {
    let clock = 0;
    const admission = createAdmission({ ...limits, queueLimit: 0 }, () => clock);
    const measured = admission.enter(never);
    clock += 2000;
    measured.leave();
    const busy = (of: "interactive" | "batch") => {
      try {
        admission.checkRoom(of);
      } catch (thrown) {
        return (thrown as BridleError).details.retryAfterS;
      }
      return undefined;
    };
    const piles = [hold(admission, 40), hold(admission, 40)];
    // Eighty documents of 2 to 4 s by four at a time, whoever it is that has them.
    expect(busy("batch")).toBeGreaterThanOrEqual(40);
    expect(busy("batch")).toBeLessThanOrEqual(81);
    const [first, second] = [admission.enter(never), admission.enter(never)];
    // One that is before it in each of the two places that piles leave.
    expect(busy("interactive")).toBeGreaterThanOrEqual(3);
    expect(busy("interactive")).toBeLessThanOrEqual(6);
    for (const pile of piles) pile.end();
    await settle();
    first.leave();
    second.leave();
    expect([busy("batch"), busy("interactive")]).toEqual([undefined, undefined]);
  });

  it("are learned from by the document, however long all of them take", async () => {
    let clock = 0;
    const admission = createAdmission({ ...limits, concurrency: 2 }, () => clock);
    await admission.runPile(never, 101, async (measure) => {
      for (let i = 0; i < 100; i += 1)
        await measure(async () => {
          clock += 1000;
        });
      await expect(measure(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    });
    const working = [admission.enter(never), admission.enter(never)];
    // A document takes 1 to 2 s with another beside it; the pile took 100 s.
    const waiting = admission.enter(never, 4000);
    expect(() => admission.enter(never, 1000)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ neededS: 4 }) }),
    );
    for (const place of [...working, waiting]) place.leave();
  });

  it("that are at work for long make nobody believe that a document takes so long", async () => {
    let clock = 0;
    const admission = createAdmission({ ...limits, concurrency: 2 }, () => clock);
    const pile = hold(admission);
    await admission.run(never, async () => {
      clock += 1000;
    });
    clock += 100_000;
    admission.enter(never);
    // It gets the one place that is no pile's.
    admission.enter(never, 6000);
    pile.end();
  });
});
