// Tests which names are ids of models on the hub, and which are paths or nothing.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseHubId } from "./hub-id.js";

describe("parseHubId", () => {
  it.each([
    ["google/pegasus-xsum", "google/pegasus-xsum", "main"],
    ["a/b", "a/b", "main"],
    ["Foo_1/bar.v2", "Foo_1/bar.v2", "main"],
    ["a/b@main", "a/b", "main"],
    ["a/b@v1.0", "a/b", "v1.0"],
    ["a/b@refs/pr/3", "a/b", "refs/pr/3"],
    [`a/b@${"0".repeat(40)}`, "a/b", "0".repeat(40)],
  ])("reads %s", (name, repo, revision) => {
    expect(parseHubId(name)).toEqual({ repo, revision });
  });

  it.each([
    "",
    "pegasus",
    "./a/b",
    "../b",
    "/a/b",
    "a/b/c",
    "a/",
    "/b",
    "a\\b",
    "C:/models",
    "~/pegasus",
    ".a/b",
    "a/b.",
    "-a/b",
    "a--b/c",
    "a/b..c",
    "a/b.git",
    "a/b@",
    "a/b@../x",
    "a/b@/x",
    "a/b@x/",
    "a/b@x//y",
    "a/b@x/.y",
    "a/b@x.lock",
    "a/b@x@y",
    "a b/c",
    "ä/b",
    "https://huggingface.co/a/b",
    "news:3",
    "news@champion",
  ])("leaves %j alone", (name) => {
    expect(parseHubId(name)).toBeUndefined();
  });

  it("never gives what could lead out of a folder", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\w./@\\ :~-]{0,40}$/), (name) => {
        const id = parseHubId(name);
        if (id === undefined) return;
        for (const part of [...id.repo.split("/"), ...id.revision.split("/")]) {
          expect(part).toMatch(/^\w/);
          expect(part).not.toContain("..");
        }
      }),
      { numRuns: 5000 },
    );
  });
});
