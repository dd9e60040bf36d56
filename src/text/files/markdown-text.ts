// Markdown to the text a reader would read: no code, no markup, links by their words, table rows as lines.
import { Lexer, type Token, type Tokens } from "marked";
import { htmlToText } from "./html-text.js";

export interface MarkdownText {
  readonly text: string;
  readonly title?: string;
  readonly warnings: readonly string[];
}

interface FrontMatter {
  readonly body: string;
  readonly title?: string;
}

/** Finding emphasis takes up to the square of a block's length; so much of that is spent on a document. */
const inlineBudget = 400_000_000;
const longestFrontMatter = 64 * 1024;

/** Cuts off a YAML (`---`) or TOML (`+++`) block at the top, and takes the title from it. */
function cutFrontMatter(source: string): FrontMatter {
  const fence = source.startsWith("---\n") ? "---" : source.startsWith("+++\n") ? "+++" : undefined;
  if (fence === undefined) return { body: source };
  const end = source.indexOf(`\n${fence}`, fence.length);
  const head = source.slice(fence.length + 1, end);
  const rest = source.slice(end + 1 + fence.length);
  const closes = end > 0 && end <= longestFrontMatter && /^[ \t]*(?:\n|$)/.test(rest.slice(0, 200));
  // A rule at the top and another further down is no front matter: that has keys.
  if (!closes || !/^[\w-]+[ \t]*[:=]/m.test(head)) return { body: source };
  const title = /^title[ \t]*[:=][ \t]*(["']?)(.{1,300}?)\1[ \t]*$/m.exec(head)?.[2];
  return { body: rest, ...(title === undefined ? {} : { title }) };
}

function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,30});/gi, (entity) => {
    const decoded = htmlToText(entity).text;
    return decoded === "" ? (/^&(?:nbsp|#160|#xa0);$/i.test(entity) ? " " : "") : decoded;
  });
}

/** Turns the block tokens of one document into paragraphs of text. */
class MarkdownWriter {
  readonly #keepCode: boolean;

  constructor(keepCode: boolean) {
    this.#keepCode = keepCode;
  }

  blocks(tokens: readonly Token[], separator = "\n\n"): string {
    return tokens
      .map((token) => this.#block(token))
      .filter((text) => text !== "")
      .join(separator);
  }

  #block(token: Token): string {
    switch (token.type) {
      case "heading":
      case "paragraph":
      case "text":
        return this.#inline(token.tokens ?? [token]).trim();
      case "blockquote":
        return this.blocks(token.tokens ?? []);
      case "list":
        return this.#list(token as Tokens.List);
      case "table":
        return this.#table(token as Tokens.Table);
      case "code":
        return this.#keepCode ? (token as Tokens.Code).text : "";
      case "html":
        return htmlToText((token as Tokens.HTML).raw).text;
      default:
        return "";
    }
  }

  #list(list: Tokens.List): string {
    const separator = list.loose ? "\n\n" : "\n";
    const items = list.items.map((item) => this.blocks(item.tokens, separator));
    return items.filter((item) => item !== "").join(separator);
  }

  #table(table: Tokens.Table): string {
    return [table.header, ...table.rows]
      .map((row) => {
        const cells = row.map((cell) => this.#inline(cell.tokens).replace(/\s+/g, " ").trim());
        return cells.filter((cell) => cell !== "").join(" | ");
      })
      .filter((row) => row !== "")
      .join("\n");
  }

  #inline(tokens: readonly Token[]): string {
    return tokens.map((token) => this.#span(token)).join("");
  }

  #span(token: Token): string {
    switch (token.type) {
      case "br":
        return "\n";
      case "image":
      case "checkbox":
      case "def":
        return "";
      case "html":
        return /^<br\b/i.test(token.raw) ? "\n" : "";
      case "codespan":
        return (token as Tokens.Codespan).text;
      case "escape":
        return (token as Tokens.Escape).text;
      default:
        if ("tokens" in token && token.tokens !== undefined) return this.#inline(token.tokens);
        return "text" in token ? decodeEntities(String(token.text)) : "";
    }
  }
}

/** Markup taken off by single characters, where parsing it would take too long. */
function stripInline(source: string): string {
  return source.replace(/[*_`~]/g, "");
}

/**
 * Takes off the block marks of a line beyond 16 levels and indentation beyond 64 columns.
 * The parser copies a block once for each level it is nested in: 500 KB of quotes 500 levels deep took 4 GB.
 */
function limitNesting(source: string): string {
  return source
    .replace(/^((?:[ \t]*(?:[>*+-]|\d{1,9}[.)])){16})(?:[ \t]*(?:[>*+-]|\d{1,9}[.)]))+/gm, "$1")
    .replace(/^[ \t]{64,}/gm, " ".repeat(64));
}

/** Block tokens whose inline content is parsed within the budget; the rest of it is stripped. */
function lex(source: string): { tokens: Token[]; stripped: number } {
  const lexer = new Lexer({ gfm: true });
  const tokens = lexer.blockTokens(source, []);
  let budget = inlineBudget;
  let stripped = 0;
  for (const { src, tokens: into } of lexer.inlineQueue) {
    const delimiters = src.match(/[*_`~[\]<&\\!]/g)?.length ?? 0;
    const cost = src.length * (delimiters + 1);
    if (cost <= budget / 8) {
      budget -= cost;
      lexer.inlineTokens(src, into);
    } else {
      stripped++;
      into.push({ type: "text", raw: src, text: stripInline(src) });
    }
  }
  return { tokens, stripped };
}

/**
 * The text of a Markdown document (CommonMark with GitHub's tables, strikethrough and task lists).
 * Left out: front matter, code blocks, images, HTML tags, footnote marks, link targets. A document of nothing but
 * code keeps it. Newlines must be LF.
 */
export function markdownToText(source: string): MarkdownText {
  const { body, title } = cutFrontMatter(source);
  const warnings: string[] = [];
  let tokens: Token[];
  try {
    const lexed = lex(limitNesting(body).replace(/\[\^[^\]\s]{1,40}\]:?/g, ""));
    tokens = lexed.tokens;
    if (lexed.stripped > 0) {
      warnings.push(
        "Some Markdown paragraphs are too long to parse; only their marks were stripped.",
      );
    }
  } catch (error) {
    // The parser recurses once a level of nesting; such a document is no Markdown anyone wrote.
    if (!(error instanceof RangeError)) throw error;
    warnings.push("The Markdown is nested too deeply to parse and was read as plain text.");
    return { text: stripInline(body), warnings };
  }
  const heading = tokens.find((token) => token.type === "heading" && token.depth === 1);
  const named = title ?? (heading && new MarkdownWriter(false).blocks([heading]));
  const read = new MarkdownWriter(false).blocks(tokens);
  const text = read === "" ? new MarkdownWriter(true).blocks(tokens) : read;
  return { text, ...(named ? { title: named } : {}), warnings };
}
