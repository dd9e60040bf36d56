// What fails for how things are is tried again, what fails for what it is is told at once, and nobody who stops waits.
import { expect, it } from "vitest";
import { BridleError } from "../errors/error.js";
import { withPatience } from "./passing-failures.js";

const lost = () => new BridleError("WORKER_FAILED", { reason: "it is gone" });

it("does it again where that may help", async () => {
  let tries = 0;
  const work = async () => {
    tries++;
    if (tries === 1) throw lost();
    return "done";
  };
  expect(await withPatience(work, undefined)).toBe("done");
  expect(tries).toBe(2);
});

it("tells at once what is the document's own fault", async () => {
  let tries = 0;
  const work = async () => {
    tries++;
    throw new BridleError("EMPTY_TEXT", { where: "the document" });
  };
  await expect(withPatience(work, undefined)).rejects.toMatchObject({ code: "EMPTY_TEXT" });
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
  await expect(withPatience(work, stop.signal)).rejects.toMatchObject({ code: "WORKER_FAILED" });
  expect(tries).toBe(1);
});
