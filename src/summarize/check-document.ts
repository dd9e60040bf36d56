// Checks that what is to be summarized is a text: callers without types pass anything.
import { BridleError } from "../errors/error.js";

/** @throws INVALID_PARAMETER */
export function checkDocument(document: unknown): asserts document is string {
  if (typeof document === "string") return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "document",
    value: document === null ? "null" : typeof document,
    expected: "a string",
  });
}
