// Tests that who asks shares what is opened, and that a failure is not kept.
import { expect, it } from "vitest";
import { openOnce } from "./open-once.js";

it("opens for the first, shares it, and tries again after a failure", async () => {
  const kept = new Map<string, Promise<number>>();
  let opened = 0;
  const open = async () => {
    opened += 1;
    if (opened === 1) throw new RangeError("no memory");
    return opened;
  };
  const first = [openOnce(kept, "a", open), openOnce(kept, "a", open)];
  for (const each of first) await expect(each).rejects.toThrow("no memory");
  expect(opened).toBe(1);
  expect(await openOnce(kept, "a", open)).toBe(2);
  expect(await openOnce(kept, "a", open)).toBe(2);
  expect(await openOnce(kept, "b", open)).toBe(3);
  expect([...kept.keys()]).toEqual(["a", "b"]);
});
