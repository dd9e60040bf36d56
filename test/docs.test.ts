// Holds the documentation to the tree: a decision for every dependency, links that lead somewhere, no private paths.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...listPages("docs"),
].sort();
const decisions = pages.filter((page) => page.startsWith("docs/decisions/"));

function listPages(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return listPages(name);
    return name.endsWith(".md") ? [name] : [];
  });
}

/** Names that a page marks as code, such as `hono`. */
function namesIn(text: string): Set<string> {
  return new Set([...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!));
}

/** Dependencies that no page names; type packages go with what they type. */
function undecided(manifests: readonly Record<string, unknown>[], texts: string[]): string[] {
  const named = new Set(texts.flatMap((text) => [...namesIn(text)]));
  return manifests
    .flatMap((manifest) =>
      ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"].flatMap(
        (kind) => Object.keys(manifest[kind] ?? {}),
      ),
    )
    .filter((name) => !name.startsWith("@types/") && !named.has(name));
}

/** Relative links of a page whose file, or whose heading in that file, is not there. */
function deadLinks(page: string, text: string, exists: (file: string) => boolean): string[] {
  const links = [...text.matchAll(/\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src="([^"]+)"/g)];
  return links
    .map((match) => match[1] ?? match[2]!)
    .filter((link) => !/^(https?:|mailto:|#)/.test(link))
    .map((link) => link.replace(/#.*$/, ""))
    .filter((link) => !exists(path.posix.join(path.posix.dirname(page), link)))
    .map((link) => `${page} links to ${link}`);
}

describe("decisions", () => {
  it("have numbers of their own, and a title that begins with it", () => {
    const numbers = decisions.map((page) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(page)?.[1]);
    expect(numbers).not.toContain(undefined);
    expect(new Set(numbers).size, decisions.join(" ")).toBe(numbers.length);
    for (const [index, page] of decisions.entries()) {
      expect(read(page).split("\n")[0], page).toMatch(new RegExp(`^# (ADR )?${numbers[index]}\\b`));
    }
  });

  it("name every dependency", () => {
    const manifests = ["package.json", "dashboard/package.json"].map((file) =>
      JSON.parse(read(file)),
    );
    expect(undecided(manifests, decisions.map(read))).toEqual([]);
  });

  it("a dependency without one would be found", () => {
    const manifest = {
      dependencies: { hono: "4" },
      devDependencies: { "@types/x": "1", tape: "5" },
      optionalDependencies: { sharp: "1" },
    };
    expect(undecided([manifest], ["We pick `hono`, not tape."])).toEqual(["tape", "sharp"]);
  });
});

describe("pages", () => {
  it.each(pages)("%s links only to what is there", (page) => {
    expect(deadLinks(page, read(page), (file) => existsSync(path.join(root, file)))).toEqual([]);
  });

  it("a dead link would be found", () => {
    const text = "[a](b.md) [c](../d.md#e) [f](https://example.org) [g](#h)";
    expect(deadLinks("docs/x.md", text, (file) => file === "docs/b.md")).toEqual([
      "docs/x.md links to ../d.md",
    ]);
  });

  it.each(pages)("%s names no private path and cites no line number", (page) => {
    expect(read(page)).not.toMatch(/\/(?:work|home|root|Users)\/[a-z]/);
    expect(read(page)).not.toMatch(/\b[\w/-]+\.(?:ts|mjs|tsx):\d+/);
  });
});
