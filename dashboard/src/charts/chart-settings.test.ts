// What was kept in the browser may be anything.
import { expect, it } from "vitest";
import { readSettings } from "./chart-settings.js";

it.each([null, "", "nonsense", "null", "7", '{"xKind":"year","smoothing":3,"isLog":"yes"}'])(
  "%j reads as the usual settings",
  (text) => expect(readSettings(text)).toEqual({ xKind: "step", smoothing: 0, isLog: false }),
);

it("keeps what is sound", () => {
  const kept = { xKind: "time", smoothing: 0.6, isLog: true };
  expect(readSettings(JSON.stringify(kept))).toEqual(kept);
});
