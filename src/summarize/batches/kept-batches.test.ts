// Batches of a server that has closed are not opened again: nobody would end them, and their models are gone.
import { expect, it } from "vitest";
import { BridleError } from "../../errors/error.js";
import { keepBatches } from "./kept-batches.js";

it("opens nothing once it is closed", async () => {
  let opened = 0;
  const batches = keepBatches({
    async openDatabase() {
      opened++;
      return undefined;
    },
    openQueue() {
      throw new BridleError("BUG", { reason: "there is no database" });
    },
    summarizers: () => new Map(),
    maxOpenDocuments: 10,
  });
  expect(await batches.find()).toBeUndefined();
  expect(opened).toBe(1);
  await batches.close();
  for (const late of [batches.find(), batches.open()])
    await expect(late).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  expect(opened).toBe(1);
});
