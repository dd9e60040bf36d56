// Headers of files are no lines that were added or taken away.
import { expect, it } from "vitest";
import { kindOf } from "./diff-view.js";

it.each([
  ["diff --git a/x b/x", "file"],
  ["--- a/x", "file"],
  ["+++ b/x", "file"],
  ["@@ -1,2 +1,3 @@", "place"],
  ["+new", "added"],
  ["-old", "removed"],
  [" same", "same"],
  ["", "same"],
])("%j is %s", (line, kind) => expect(kindOf(line)).toBe(kind));
