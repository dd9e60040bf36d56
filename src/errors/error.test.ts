// What an error says: its row filled with values, none of which may flood or control a terminal.
import { expect, it } from "vitest";
import { BridleError, fromErrorData, toBridleError, toErrorData } from "./error.js";

it("fills message and hint, and leaves visible what it has no value for", () => {
  const error = new BridleError("HEADERS_TOO_LARGE");
  expect(error.message).not.toContain("{");
  const partly = new BridleError("INVALID_PARAMETER", { parameter: "topK", value: -1 });
  expect(partly.message).toBe("topK is -1; it must be {expected}.");
  expect(partly.hint).toContain("Correct topK");
});

it("shows control characters in place of sending them to a terminal, and no more of a value than is read", () => {
  const name = "\u001b[31mred\u0007\u009b";
  const { message } = new BridleError("PICKLE_FORBIDDEN", { file: "a.bin", name });
  expect(message).toContain("\\u001b[31mred\\u0007\\u009b");
  expect(message).not.toContain("\u001b");
  const lines = new BridleError("BUG", { reason: "one\n\ttwo" });
  expect(lines.message).toContain("one\n\ttwo");
  const long = new BridleError("PICKLE_FORBIDDEN", { file: "a.bin", name: "x".repeat(100_000) });
  expect(long.message.length).toBeLessThan(1200);
  expect(long.details.name).toHaveLength(100_000);
});

it("crosses to another thread and back", () => {
  const error = new BridleError("WEIGHT_MISSING", { name: "w" });
  expect(fromErrorData(structuredClone(toErrorData(error)))).toMatchObject({
    code: "WEIGHT_MISSING",
    message: error.message,
  });
  expect(toBridleError(new RangeError("odd"))).toMatchObject({
    code: "BUG",
    message: expect.stringContaining("odd"),
  });
});
