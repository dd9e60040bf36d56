// Tests that HTML becomes text with blocks apart, entities decoded once and hidden parts left out.
import { describe, expect, it } from "vitest";
import { htmlToText } from "./html-text.js";

const text = (html: string) => htmlToText(html).text;

describe("htmlToText", () => {
  it("puts blocks apart and keeps inline text together", () => {
    const html =
      "<h1>Title</h1><p>One <b>bold</b>\n   word,<i> two</i>.</p><div>Line</div><div>Next</div>";
    expect(text(html)).toBe("Title\n\nOne bold word, two.\n\nLine\nNext");
  });

  it("decodes entities, and no entity twice", () => {
    expect(text("<p>caf&eacute; &amp; &lt;b&gt; &#8364;5 &#x41; &amp;amp; AT&T R&D;")).toBe(
      "café & <b> €5 A &amp; AT&T R&D;",
    );
  });

  it("leaves out scripts, styles, forms' controls, navigation and hidden parts", () => {
    const html = `<nav>Menu</nav><p>Kept.<script>var a = "<p>no</p>";</script><style>p{}</style>
      <select><option>no</option></select><button>no</button><span hidden>no</span>
      <span style="display: none">no</span><svg><text>no</text></svg></p><footer>no</footer>
      <div role="navigation">no</div><noscript>no</noscript><template>no</template>`;
    expect(text(html)).toBe("Kept.");
    expect(htmlToText(html, { keepChrome: true }).text).toContain("Menu");
  });

  it("keeps a header that holds the heading and leaves out one that does not", () => {
    expect(text("<header>Logo <a>Home</a></header><p>Text.</p>")).toBe("Text.");
    expect(text("<header><h1>Heading</h1></header><p>Text.</p>")).toBe("Heading\n\nText.");
  });

  it("takes the main part alone where it is marked and says something", () => {
    const main = "A sentence of the article itself. ".repeat(10).trim();
    expect(text(`<p>Teaser</p><main><p>${main}</p></main><p>Related</p>`)).toBe(main);
    expect(text("<p>Teaser</p><main><p>Short</p></main>")).toBe("Teaser\n\nShort");
  });

  it("makes a line of each table row, also where cells hold paragraphs or are empty", () => {
    const html = `<table><tr><th>Region</th><th>Flow</th></tr>
      <tr><td><p>North</p></td><td></td><td><p>120</p></td></tr><tr><td>South<td>80</table>after`;
    expect(text(html)).toBe("Region | Flow\nNorth | 120\nSouth | 80\n\nafter");
  });

  it("does not take a page's layout for a table of facts", () => {
    const long = "A long paragraph of a page set in tables. ".repeat(10).trim();
    expect(text(`<table><tr><td><p>${long}</p></td><td><p>${long}</p></td></tr></table>`)).toBe(
      `${long}\n\n${long}`,
    );
  });

  it("makes a line of each list item, also of nested ones", () => {
    expect(text("<p>List</p><ul><li>One<li>Two<ul><li>Inner</li></ul></li></ul><p>After</p>")).toBe(
      "List\n\nOne\nTwo\nInner\n\nAfter",
    );
  });

  it("breaks lines at br, paragraphs at two", () => {
    expect(text("one<br>two<br><br>three")).toBe("one\ntwo\n\nthree");
  });

  it("keeps the lines of pre and leaves out code listings", () => {
    expect(text("<pre>Roses are red,\nviolets are blue.</pre>")).toBe(
      "Roses are red,\nviolets are blue.",
    );
    expect(text("<p>See:</p><pre><code>let x = 1;</code></pre><p>Done.</p>")).toBe("See:\n\nDone.");
    expect(htmlToText("<pre><code>a\nb</code></pre>", { keepCode: true }).text).toBe("a\nb");
  });

  it("leaves out marks of notes and signs beside headings, keeps powers", () => {
    expect(text('Word<sup><a href="#fn1">[1]</a></sup>, 10<sup>3</sup> m<sup>2</sup>.')).toBe(
      "Word, 103 m2.",
    );
    expect(text('<h2>Heading<a href="#h">#</a></h2>')).toBe("Heading");
    expect(text('<p>Note. <a href="#footnote-ref-1">↑</a></p>')).toBe("Note.");
  });

  it("reads the title", () => {
    expect(htmlToText("<title> A &amp; B\n page </title><p>x").title).toBe("A & B page");
    expect(htmlToText("<p>x").title).toBeUndefined();
  });

  it("leaves ruby's readings and the text of what is played or drawn out", () => {
    expect(text("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby><audio>no</audio>")).toBe(
      "漢字",
    );
  });

  it.each([
    ["unclosed comment", "text<!-- never closed <p>lost", "text"],
    ["unclosed tag", "text<p attr", "text"],
    ["lone brackets", "a < b and c > d", "a < b and c > d"],
    ["character out of range", "<p>&#1114112;&#xD800;x", "\uFFFD\uFFFDx"],
    ["hidden paragraph without an end", "<p hidden>no<p>yes", "yes"],
    ["nothing", "", ""],
  ])("bears %s", (_, html, expected) => {
    expect(text(html)).toBe(expected);
  });

  it("takes depth, width and unclosed elements as they come", () => {
    const deep = 100_000;
    expect(text(`${"<div>".repeat(deep)}deep${"</div>".repeat(deep)}`)).toBe("deep");
    expect(text(`${"<b>".repeat(deep)}${"</i>".repeat(deep)}wide`)).toBe("wide");
    expect(text("<sup><a>1</a></sup>x".repeat(1000))).toBe("x".repeat(1000));
    expect(text(`<p ${"a=b ".repeat(deep)}>x</p>`)).toBe("x");
  });
});
