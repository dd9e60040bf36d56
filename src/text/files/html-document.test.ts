// Tests that the article of a page is found, and the whole page taken where there is none.
import { describe, expect, it } from "vitest";
import { readHtml } from "./html-document.js";

const paragraph = (i: number): string =>
  `<p>Paragraph ${i} of the article tells, at some length and with commas, what the council decided, why it did so, and what the people of the town, who had waited for years, think about it now.</p>`;
const article = Array.from({ length: 8 }, (_, i) => paragraph(i)).join("\n");
const links = Array.from({ length: 40 }, (_, i) => `<li><a href="/${i}">Story ${i}</a></li>`);

const newsPage = `<!doctype html><html><head><title>Council decides | The Paper</title></head><body>
  <div class="menu"><ul>${links.join("")}</ul></div>
  <div id="content" class="article"><h1>Council decides</h1>${article}</div>
  <div class="sidebar"><h3>Most read</h3><ul>${links.join("")}</ul></div>
  <div class="comments"><p>First comment!</p></div></body></html>`;

describe("readHtml", () => {
  it("finds the article of a page that marks nothing", () => {
    const { text, title, warnings } = readHtml(newsPage);
    expect(title).toBe("Council decides | The Paper");
    expect(text).toContain("Paragraph 0 of the article");
    expect(text).toContain("Paragraph 7 of the article");
    expect(text).not.toContain("Story 5");
    expect(text).not.toContain("Most read");
    expect(warnings).toEqual([]);
  });

  it("takes the whole body where there is no article", () => {
    const { text } = readHtml("<html><body><h1>Contact</h1><p>Main street 1</p></body></html>");
    expect(text).toBe("Contact\n\nMain street 1");
  });

  it("reads fragments and pages of several short parts whole", () => {
    expect(readHtml("<p>One</p><p>Two</p>").text).toBe("One\n\nTwo");
    const parts = Array.from(
      { length: 30 },
      (_, i) => `<div class="p${i}"><p>Part ${i}.</p></div>`,
    );
    expect(readHtml(`<body>${parts.join("")}</body>`).text.match(/Part/g)).toHaveLength(30);
  });

  it("gives up what it leaves out where nothing else is left", () => {
    expect(readHtml("<nav><p>Only a menu</p></nav>").text).toBe("Only a menu");
    expect(readHtml("<pre><code>only code</code></pre>").text).toBe("only code");
    expect(readHtml("<script>only()</script>").text).toBe("");
  });

  it("builds no tree of a page too deep, too wide or too long for one", () => {
    const deep = readHtml(`${"<div>".repeat(100_000)}${article}${"</div>".repeat(100_000)}`);
    const wide = readHtml(`<body>${"<span>word</span> ".repeat(50_000)}${article}`);
    const long = readHtml(`<body>${"A sentence of a very long page. ".repeat(100_000)}${article}`);
    for (const { text, warnings } of [deep, wide, long]) {
      expect(text).toContain("Paragraph 7 of the article");
      expect(warnings).toEqual([expect.stringContaining("too large or too deeply nested")]);
    }
  });
});
