// A web page's main text: Readability picks it where it can, the linear reader takes the whole body where it cannot.
import { isProbablyReaderable, Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";
import { type HtmlText, htmlToText } from "./html-text.js";

export interface HtmlDocument extends HtmlText {
  readonly warnings: readonly string[];
}

/** Beyond these, building and scoring a tree takes seconds (measured: 5,000 levels 6 s, 5 MB 2 s). */
const treeLimits = { characters: 3_000_000, elements: 40_000, depth: 200 };
/** Readability's own threshold for having found an article, in characters. */
const shortestArticle = 500;
/** An article that leaves out more than this share of a short page's text is a wrong pick. */
const minShare = 0.35;
const longEnough = 1500;

const unclosed = new Set(
  "area base br col embed hr img input link meta source track wbr p li dt dd td th tr tbody thead tfoot option".split(
    " ",
  ),
);

/** Whether a tree of this page stays small and shallow; counts tags without building anything. */
function fitsTree(html: string): boolean {
  if (html.length > treeLimits.characters) return false;
  let elements = 0;
  let depth = 0;
  let deepest = 0;
  for (const [, closing, name] of html.matchAll(/<(\/?)([a-z][a-z0-9-]{0,30})/gi)) {
    if (closing === "") elements++;
    if (unclosed.has(name!.toLowerCase())) continue;
    depth = closing === "" ? depth + 1 : Math.max(0, depth - 1);
    deepest = Math.max(deepest, depth);
  }
  return elements <= treeLimits.elements && deepest <= treeLimits.depth;
}

interface Article {
  readonly html: string;
  readonly title?: string;
}

function findArticle(html: string): Article | undefined {
  // A fragment without a body element would otherwise become the document's root.
  const whole = /<body[\s>]/i.test(html) ? html : `<html><body>${html}</body></html>`;
  const { document } = parseHTML(whole);
  if (!isProbablyReaderable(document)) return undefined;
  const article = new Readability(document, {
    charThreshold: shortestArticle,
    maxElemsToParse: treeLimits.elements,
  }).parse();
  if (!article?.content) return undefined;
  const title = article.title?.trim();
  return { html: article.content, ...(title ? { title } : {}) };
}

/** The whole text, giving up one by one what is left out until there is some. */
function wholeText(html: string): HtmlText {
  const attempts = [{}, { keepChrome: true }, { keepChrome: true, keepCode: true }];
  let read: HtmlText = { text: "" };
  for (const options of attempts) {
    read = htmlToText(html, options);
    if (read.text !== "") break;
  }
  return read;
}

/**
 * The main text of an HTML page.
 * The article Readability finds is taken if it is long, or a good part of what the page says; else the whole body
 * without navigation, footers and the like.
 */
export function readHtml(html: string): HtmlDocument {
  const whole = wholeText(html);
  const titled = whole.title === undefined ? {} : { title: whole.title };
  if (!fitsTree(html)) {
    const warning =
      "The page is too large or too deeply nested to look for its main part; all its text was taken.";
    return { text: whole.text, ...titled, warnings: [warning] };
  }
  let article: Article | undefined;
  try {
    article = findArticle(html);
  } catch {
    // Tree builders give up on odd markup in odd ways; the linear reader has the text in any case.
    article = undefined;
  }
  if (article !== undefined) {
    const { text } = htmlToText(article.html);
    const share = text.length / Math.max(1, whole.text.length);
    const taken = text.length >= longEnough || (text.length > 0 && share >= minShare);
    if (taken) {
      const title = whole.title ?? article.title;
      return { text, ...(title === undefined ? {} : { title }), warnings: [] };
    }
  }
  return { text: whole.text, ...titled, warnings: [] };
}
