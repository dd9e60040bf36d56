// Tests that Markdown becomes text that keeps its words, its paragraphs and its lists.
import { describe, expect, it } from "vitest";
import { markdownToText } from "./markdown-text.js";

const text = (source: string) => markdownToText(source).text;

describe("markdownToText", () => {
  it("keeps words and drops marks", () => {
    const source =
      '# Head\n\nSome *emphasis*, **strong**, ~~gone~~ `code`, [a link](http://x.y "t"), <https://a.b> and ![alt](p.png) more\\*.';
    expect(text(source)).toBe(
      "Head\n\nSome emphasis, strong, gone code, a link, https://a.b and  more*.",
    );
  });

  it("puts headings, paragraphs and quotes apart and joins no lines of a paragraph", () => {
    expect(text("Title\n=====\n\none\ntwo\n\n> quoted\n> text\n\n---\n\nlast  \nbreak")).toBe(
      "Title\n\none\ntwo\n\nquoted\ntext\n\nlast\nbreak",
    );
  });

  it("makes lines of list items and table rows", () => {
    const source =
      "- one\n- [x] two\n  - inner\n\n1. first\n2. second\n\n| a | b |\n|---|---|\n| *1* |  |\n| 2 | 3 |\n";
    expect(text(source)).toBe("one\ntwo\ninner\n\nfirst\nsecond\n\na | b\n1\n2 | 3");
  });

  it("drops code blocks, unless there is nothing else", () => {
    expect(text("Before\n\n```js\nlet x;\n```\n\n    indented\n\nAfter")).toBe("Before\n\nAfter");
    expect(text("```\nlet x = 1;\n```")).toBe("let x = 1;");
  });

  it("drops HTML tags and comments, decodes entities, keeps an ampersand", () => {
    expect(
      text(
        "<div align=center><b>Bold</b></div>\n\na <i>b</i><br>c &amp; d&nbsp;e AT&T <!-- no -->",
      ),
    ).toBe("Bold\n\na b\nc & d e AT&T");
  });

  it("drops front matter and takes the title from it, else from the first heading", () => {
    const front = markdownToText('---\ntitle: "Of rivers"\ntags: [a]\n---\n\n# Head\n\nText');
    expect(front).toEqual({ text: "Head\n\nText", title: "Of rivers", warnings: [] });
    expect(markdownToText("+++\ntitle = 'T'\n+++\nText")).toMatchObject({
      text: "Text",
      title: "T",
    });
    expect(markdownToText("## Second\n\n# First *one*\n").title).toBe("First one");
    expect(markdownToText("Text")).toEqual({ text: "Text", warnings: [] });
  });

  it("takes a rule at the top for a rule", () => {
    expect(text("---\n\nJust text.\n\n---\n\nMore.")).toBe("Just text.\n\nMore.");
  });

  it("drops footnote marks and keeps the notes", () => {
    expect(text("Word[^1] here.\n\n[^1]: The note.")).toBe("Word here.\n\nThe note.");
  });

  it.each([
    ["quotes in quotes", "> ".repeat(100_000)],
    ["lists in lists", "- ".repeat(100_000)],
    ["both", "> - 1. ".repeat(50_000)],
    [
      "growing quotes",
      Array.from({ length: 1000 }, (_, i) => `${">".repeat(i % 400)} a\n`).join(""),
    ],
    [
      "growing indents",
      Array.from({ length: 500 }, (_, i) => `${" ".repeat(2 * i)}- a\n`).join(""),
    ],
  ])("bears %s", (_, source) => {
    const { text: read, warnings } = markdownToText(`First words.\n\n${source}`);
    expect(read.startsWith("First words.")).toBe(true);
    expect(warnings).toEqual([]);
  });

  it("strips marks where finding them would take too long", () => {
    const { text: read, warnings } = markdownToText("_a".repeat(200_000));
    expect(read).toBe("a".repeat(200_000));
    expect(warnings).toEqual([expect.stringContaining("too long to parse")]);
  });
});
