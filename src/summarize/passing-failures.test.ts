// What fails for how things are is tried again, what fails for what it is is told at once, and nobody who stops waits.
import { expect, it } from "vitest";
import { BridleError } from "../errors/error.js";
import { createPatience } from "./passing-failures.js";

const lost = () => new BridleError("WORKER_FAILED", { reason: "it is gone" });

it("does it again where that may help", async () => {
  let tries = 0;
  const work = async () => {
    tries++;
    if (tries === 1) throw lost();
    return "done";
  };
  expect(await createPatience(1)(work, undefined)).toBe("done");
  expect(tries).toBe(2);
});

it("tells at once what is the document's own fault", async () => {
  let tries = 0;
  const work = async () => {
    tries++;
    throw new BridleError("EMPTY_TEXT", { where: "the document" });
  };
  await expect(createPatience()(work, undefined)).rejects.toMatchObject({ code: "EMPTY_TEXT" });
  expect(tries).toBe(1);
});

it("ends its pause when it is stopped", async () => {
  const stop = new AbortController();
  let tries = 0;
  const work = async () => {
    tries++;
    setImmediate(() => stop.abort());
    throw lost();
  };
  await expect(createPatience()(work, stop.signal)).rejects.toMatchObject({
    code: "WORKER_FAILED",
  });
  expect(tries).toBe(1);
});

it("tries those alone that have lost who worked on them, so that one that ends it takes nobody along again", async () => {
  const patience = createPatience(1);
  /** A worker that one of the documents ends, with all that are at work. */
  let atWork: ((thrown: Error) => void)[] = [];
  let deaths = 0;
  let most = 0;
  const summarize = (isDeadly: boolean) => () =>
    new Promise<string>((resolve, reject) => {
      atWork.push(reject);
      most = Math.max(most, atWork.length);
      const end = () => {
        if (!atWork.includes(reject)) return;
        if (!isDeadly) {
          atWork = atWork.filter((each) => each !== reject);
          resolve("done");
          return;
        }
        deaths += 1;
        for (const each of atWork.splice(0)) each(lost());
      };
      setTimeout(end, isDeadly ? 5 : 10);
    });
  const innocent = Array.from({ length: 8 }, () => patience(summarize(false), undefined));
  const deadly = patience(summarize(true), undefined).catch((thrown: unknown) => thrown);
  expect(await Promise.all(innocent)).toEqual(new Array(8).fill("done"));
  expect(await deadly).toMatchObject({ code: "WORKER_FAILED" });
  expect(most).toBe(9);
  expect(deaths).toBe(4);
});

it("tries those alone for which there was no memory beside others", async () => {
  const patience = createPatience(1);
  let now = 0;
  const summarize = async () => {
    now += 1;
    const isShort = now > 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
    if (isShort) throw new BridleError("RUN_MEMORY_SHORT");
    return "done";
  };
  const all = Array.from({ length: 12 }, () => patience(summarize, undefined));
  expect(await Promise.all(all)).toEqual(new Array(12).fill("done"));
});

it("does not let others wait where it is no document's doing", async () => {
  const patience = createPatience(1);
  let [now, most, tries] = [0, 0, 0];
  const fail = async () => {
    now += 1;
    tries += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 10));
    now -= 1;
    throw lost();
  };
  const all = async (count: number) => {
    most = 0;
    const pieces = Array.from({ length: count }, () => patience(fail, undefined));
    const settled = await Promise.allSettled(pieces);
    expect(settled.every(({ status }) => status === "rejected")).toBe(true);
    return most;
  };
  await all(3);
  tries = 0;
  // All are tried as often, side by side each time.
  expect(await all(20)).toBe(20);
  expect(tries).toBe(80);
});
