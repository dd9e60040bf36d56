// HTML to text in one pass without a tree, so that neither size nor depth of nesting costs more than linear time.
import { Tokenizer } from "htmlparser2";
import { TextLines } from "./text-lines.js";

export interface HtmlText {
  readonly text: string;
  readonly title?: string;
}

export interface HtmlTextOptions {
  /** Keep navigation, page headers and footers, asides, hidden parts. */
  readonly keepChrome?: boolean;
  /** Keep code listings. */
  readonly keepCode?: boolean;
}

const words = (list: string): ReadonlySet<string> => new Set(list.split(" "));

const neverText = words(
  "script style noscript template svg canvas iframe object embed audio video map select datalist button textarea title head rt rp annotation annotation-xml",
);
const chromeElements = words("nav footer aside menu");
const chromeRoles = words(
  "navigation banner contentinfo search dialog alertdialog menu menubar toolbar tooltip",
);
const paragraphs = words(
  "p h1 h2 h3 h4 h5 h6 dl blockquote pre section article main header footer aside nav figure figcaption form fieldset hr address details caption menu body center hgroup",
);
const lines = words("div li dt dd summary legend dir");
const voids = words("area base br col embed hr img input link meta source track wbr");
/** Elements whose end tag may be left out: the next of the same name ends them. */
const endedBySibling = words("p li dt dd td th tr option tbody thead");
const wantedAttributes = words("hidden aria-hidden role style href open class");

const noteMarker = /^\s*[[(]?(?:\d{1,3}|[a-z]|note \d{1,3}|citation needed|↑)[\])]?\s*$/i;
/** What links beside headings show: a sign to copy the heading's address, a link to its source. */
const headingLink = /^\s*(?:[#§¶🔗]|\[(?:src|edit|source)\])\s*$/u;
const noteLink = /^#(?:footnote|endnote|fn|cite[-_]?(?:note|ref)|note)/i;
/** A main part shorter than that is taken for a mistake of the page. */
const shortestMain = 200;
const pageHeaderLimit = 20_000;

type Attributes = Map<string, string>;

/** Walks the tokens of one document and writes its text into lines. */
class HtmlTextWriter {
  readonly #html: string;
  readonly #options: HtmlTextOptions;
  readonly #lines = new TextLines();
  #title = "";
  #inTitle = false;
  #tag = "";
  #attributes: Attributes = new Map();
  #attribute = "";
  #value = "";
  /** The element whose whole content is left out, and how many of its name are open inside it. */
  #skipped: { name: string; depth: number } | undefined;
  #preformatted = 0;
  #contentDepth = 0;
  #listDepth = 0;
  #main: { start: number; end: number; depth: number } | undefined;
  #pageHeader: { mark: number; heading: boolean } | undefined;
  #superscript: { mark: number; linked: boolean } | undefined;
  #link: { mark: number; note: boolean } | undefined;

  constructor(html: string, options: HtmlTextOptions) {
    this.#html = html;
    this.#options = options;
  }

  read(): HtmlText {
    const tokenizer = new Tokenizer(
      { decodeEntities: true },
      {
        ontext: (start, end) => this.#text(this.#html.slice(start, end)),
        ontextentity: (code) => this.#text(String.fromCodePoint(code)),
        onopentagname: (start, end) => this.#openName(this.#html.slice(start, end)),
        onattribname: (start, end) => {
          this.#attribute = this.#html.slice(start, Math.min(end, start + 32)).toLowerCase();
          this.#value = "";
        },
        onattribdata: (start, end) => {
          if (this.#value.length < 256) {
            this.#value += this.#html.slice(start, Math.min(end, start + 256));
          }
        },
        onattribentity: (code) => {
          if (this.#value.length < 256) this.#value += String.fromCodePoint(code);
        },
        onattribend: () => {
          if (wantedAttributes.has(this.#attribute)) {
            this.#attributes.set(this.#attribute, this.#value);
          }
        },
        onopentagend: () => this.#open(false),
        onselfclosingtag: () => this.#open(true),
        onclosetag: (start, end) => this.#close(this.#html.slice(start, end).toLowerCase()),
        oncdata: (start, end, offset) => this.#text(this.#html.slice(start, end - offset)),
        oncomment: () => {},
        ondeclaration: () => {},
        onprocessinginstruction: () => {},
        onend: () => {},
      },
    );
    tokenizer.write(this.#html);
    tokenizer.end();
    const title = this.#title.replace(/\s+/g, " ").trim();
    return { text: this.#result(), ...(title === "" ? {} : { title }) };
  }

  #result(): string {
    const main = this.#main;
    if (main !== undefined && this.#options.keepChrome !== true) {
      const inside = this.#lines.slice(main.start, main.end).trim();
      if (inside.length >= shortestMain) return inside;
    }
    return this.#lines.slice(0).trim();
  }

  #text(text: string): void {
    if (this.#inTitle) this.#title += text.slice(0, 500 - this.#title.length);
    if (this.#skipped !== undefined) return;
    if (this.#preformatted > 0) this.#lines.addPreformatted(text);
    else this.#lines.add(text);
  }

  #openName(name: string): void {
    this.#tag = name.toLowerCase();
    this.#attributes = new Map();
  }

  #isLeftOut(name: string): boolean {
    if (neverText.has(name)) return true;
    if (!this.#options.keepCode && this.#preformatted > 0 && name === "code") return true;
    if (this.#options.keepChrome) return false;
    const role = this.#attributes.get("role")?.toLowerCase() ?? "";
    const style = this.#attributes.get("style") ?? "";
    if (this.#attributes.has("hidden") || this.#attributes.get("aria-hidden") === "true")
      return true;
    if (/display\s?:\s?none|visibility\s?:\s?hidden/i.test(style)) return true;
    if (chromeRoles.has(role)) return true;
    if (name === "dialog") return !this.#attributes.has("open");
    // A quote's footer names its source; an article's aside belongs to it.
    return chromeElements.has(name) && (name === "nav" || this.#contentDepth === 0);
  }

  #open(selfClosing: boolean): void {
    const name = this.#tag;
    if (this.#skipped !== undefined) {
      if (name !== this.#skipped.name || selfClosing) return;
      if (!endedBySibling.has(name)) {
        this.#skipped.depth++;
        return;
      }
      this.#skipped = undefined;
    }
    if (name === "title" && this.#title === "") this.#inTitle = true;
    if (!voids.has(name) && !selfClosing && this.#isLeftOut(name)) {
      this.#skipped = { name, depth: 1 };
      if (paragraphs.has(name)) this.#lines.endParagraph();
      return;
    }
    this.#breakFor(name);
    this.#enter(name);
  }

  #enter(name: string): void {
    if (name === "pre") this.#preformatted++;
    else if (name === "ul" || name === "ol") this.#listDepth++;
    else if (name === "br") this.#lines.breakLine();
    else if (name === "td" || name === "th") this.#lines.startCell();
    else if (name === "article" || name === "blockquote") this.#contentDepth++;
    else if (name === "main") this.#enterMain();
    else if (name === "sup") this.#superscript = { mark: this.#lines.length, linked: false };
    else if (name === "a") this.#enterLink();
    else if (name === "header" && this.#contentDepth === 0 && this.#pageHeader === undefined) {
      this.#pageHeader = { mark: this.#lines.length, heading: false };
    } else if (name === "h1" && this.#pageHeader !== undefined) this.#pageHeader.heading = true;
  }

  #enterMain(): void {
    this.#contentDepth++;
    if (this.#main === undefined) {
      this.#main = { start: this.#lines.length, end: Number.POSITIVE_INFINITY, depth: 0 };
    }
    this.#main.depth++;
  }

  #enterLink(): void {
    if (this.#superscript !== undefined) this.#superscript.linked = true;
    const note = noteLink.test(this.#attributes.get("href") ?? "");
    this.#link = { mark: this.#lines.length, note };
  }

  #close(name: string): void {
    if (name === "title") this.#inTitle = false;
    if (this.#skipped !== undefined) {
      if (name === this.#skipped.name && --this.#skipped.depth === 0) this.#skipped = undefined;
      return;
    }
    if (name === "sup" && this.#superscript !== undefined) {
      if (this.#superscript.linked) this.#dropIf(noteMarker, this.#superscript.mark);
      this.#superscript = undefined;
    } else if (name === "a" && this.#link !== undefined) {
      this.#dropIf(this.#link.note ? noteMarker : headingLink, this.#link.mark);
      this.#link = undefined;
    } else if (name === "pre" && this.#preformatted > 0) this.#preformatted--;
    else if (name === "td" || name === "th") this.#lines.endCell();
    else if ((name === "ul" || name === "ol") && this.#listDepth > 0) this.#listDepth--;
    else if ((name === "article" || name === "blockquote") && this.#contentDepth > 0) {
      this.#contentDepth--;
    } else if (name === "main" && this.#main !== undefined && this.#main.depth > 0) {
      this.#contentDepth = Math.max(0, this.#contentDepth - 1);
      if (--this.#main.depth === 0) this.#main.end = this.#lines.length;
    } else if (name === "header") this.#closePageHeader();
    this.#breakFor(name);
  }

  #dropIf(pattern: RegExp, mark: number): void {
    if (this.#lines.length - mark > 24) return;
    if (pattern.test(this.#lines.slice(mark))) this.#lines.cutTo(mark);
  }

  /** A page's header is its logo and menu, unless it holds the heading of the text. */
  #closePageHeader(): void {
    const header = this.#pageHeader;
    this.#pageHeader = undefined;
    if (header === undefined || header.heading || this.#options.keepChrome) return;
    if (this.#lines.length - header.mark < pageHeaderLimit) this.#lines.cutTo(header.mark);
  }

  #breakFor(name: string): void {
    if (paragraphs.has(name)) this.#lines.endParagraph();
    else if (lines.has(name)) this.#lines.endLine();
    else if (name === "tr") this.#lines.breakRow();
    else if (name === "table") this.#lines.endTable();
    else if (name === "ul" || name === "ol") {
      if (this.#listDepth > 0) this.#lines.endLine();
      else this.#lines.endParagraph();
    }
  }
}

/**
 * The text of an HTML document or fragment: one line for each line of a block, a blank line between blocks, table
 * cells apart by " | ", entities decoded. Scripts, styles, forms' controls and note markers are left out; so are
 * navigation, page headers and footers, and code listings, unless asked for. Where the page marks its main part,
 * only that.
 */
export function htmlToText(html: string, options: HtmlTextOptions = {}): HtmlText {
  return new HtmlTextWriter(html, options).read();
}
