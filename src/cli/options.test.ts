// Tests reading option values: what is taken, and what the refusal says.
import { describe, expect, it } from "vitest";
import { listOf, oneOf, share, wholeNumber } from "./options.js";

const refusal = (parameter: string) =>
  expect.objectContaining({
    code: "INVALID_PARAMETER",
    details: expect.objectContaining({ parameter }),
  });

describe("wholeNumber", () => {
  const read = wholeNumber("--n");
  it.each([
    ["1", 1],
    ["007", 7],
    ["123456", 123456],
  ])("reads %s", (text, number) => {
    expect(read(text)).toBe(number);
  });
  it.each(["0", "-1", "1.5", "1e3", "", " 1", "one", "0x10", "9007199254740993"])(
    "refuses %j",
    (text) => {
      expect(() => read(text)).toThrow(refusal("--n"));
    },
  );
  it("takes another least value", () => {
    expect(wholeNumber("--seed", 0)("0")).toBe(0);
  });
});

describe("share", () => {
  const read = share("--ratio");
  it.each([
    ["0.2", 0.2],
    [".5", 0.5],
    ["1", 1],
    ["20%", 0.2],
    ["100%", 1],
    ["2.5%", 0.025],
  ])("reads %s", (text, number) => {
    expect(read(text)).toBeCloseTo(number, 12);
  });
  it.each(["0", "0%", "1.1", "101%", "-0.2", "NaN", "", "%", "0.2.3", "1e-1", "fifth"])(
    "refuses %j",
    (text) => {
      expect(() => read(text)).toThrow(refusal("--ratio"));
    },
  );
});

describe("oneOf and listOf", () => {
  it("take the words allowed and name them all in the refusal", () => {
    expect(oneOf("--mode", ["google", "unicode"])("unicode")).toBe("unicode");
    expect(() => oneOf("--mode", ["google", "unicode"])("Google")).toThrow(
      '--mode is "Google"; it must be one of google, unicode.',
    );
    expect(listOf("--scopes", ["read", "admin"])("admin, read")).toEqual(["admin", "read"]);
    expect(() => listOf("--scopes", ["read", "admin"])("read,")).toThrow(refusal("--scopes"));
  });
});
