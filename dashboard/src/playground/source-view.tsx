// The document with what a summary rests on: sentences marked, or the parts that a model has read set apart.
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import type { Span } from "../api/types.js";
import { counted } from "../shell/figures.js";
import { layOut, type Piece } from "./excerpts.js";
import type { MarkedDocument, Overlap } from "./marked-document.js";
import { type Mark, piecesWithin } from "./marks.js";
import classes from "./source-view.module.css";
import { type SentenceLink, scrollTo, sentenceProps, useFollowing } from "./use-link.js";

export function SourceView({
  marked,
  link,
  shown,
}: {
  readonly marked: MarkedDocument;
  readonly link: SentenceLink;
  /** How many of the sources are drawn. */
  readonly shown: number;
}) {
  const pane = useRef<HTMLElement>(null);
  useFollowing(pane, "source", link);
  const { text, sources, kind, reading, overlap } = marked;
  const pieces = useMemo(() => layOut(text, sources, shown), [text, sources, shown]);
  useEffect(() => {
    if (reading === undefined) return;
    scrollTo(pane.current, pane.current?.querySelector<HTMLElement>("[data-reading]") ?? null);
  }, [reading]);

  return (
    <section
      ref={pane}
      className={classes.pane}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must be reachable to be scrolled by keys
      tabIndex={0}
      aria-label={
        kind === "sentences"
          ? "Document with the chosen sentences marked"
          : overlap === undefined
            ? "Document with the parts that were read set apart"
            : "Document with the sentences marked that share most words with the summary"
      }
    >
      {overlap !== undefined && <HowMarked overlap={overlap} />}
      <div className={classes.text} data-kind={kind}>
        {kind === "sentences" ? (
          <Sentences
            text={text}
            pieces={pieces}
            count={Math.min(sources.length, shown)}
            link={link}
          />
        ) : (
          <Parts
            text={text}
            pieces={pieces}
            count={sources.length}
            reading={reading}
            overlap={overlap}
            link={link}
          />
        )}
      </div>
    </section>
  );
}

function Sentences({
  text,
  pieces,
  count,
  link,
}: {
  readonly text: string;
  readonly pieces: readonly Piece[];
  readonly count: number;
  readonly link: SentenceLink;
}) {
  const drawn = new Set<number>();
  return pieces.map((piece): ReactNode => {
    if (piece.kind === "text") return text.slice(piece.start, piece.end);
    if (piece.kind === "gap") return <Gap key={piece.start} piece={piece} />;
    const again = drawn.has(piece.index);
    drawn.add(piece.index);
    const words = text.slice(piece.start, piece.end);
    return (
      <mark key={piece.start} className={classes.source}>
        {again ? (
          <span className={classes.words}>{words}</span>
        ) : (
          <a
            {...sentenceProps(link, "source", piece.index, count)}
            className={classes.words}
            data-number={piece.index + 1}
          >
            {words}
          </a>
        )}
      </mark>
    );
  });
}

function Parts({
  text,
  pieces,
  count,
  reading,
  overlap,
  link,
}: {
  readonly text: string;
  readonly pieces: readonly Piece[];
  readonly count: number;
  readonly reading: number | undefined;
  readonly overlap: Overlap | undefined;
  readonly link: SentenceLink;
}) {
  const drawn = new Set<number>();
  return pieces.map((piece): ReactNode => {
    if (piece.kind === "gap") return <Gap key={piece.start} piece={piece} />;
    const span = trimmed(text, piece);
    if (span.end <= span.start) return null;
    const words = <Words text={text} span={span} overlap={overlap} link={link} />;
    if (piece.kind === "text") {
      return (
        <div key={piece.start} className={classes.unread}>
          {words}
        </div>
      );
    }
    const again = drawn.has(piece.index);
    drawn.add(piece.index);
    const now = piece.index === reading;
    return (
      <div key={piece.start} className={classes.part} data-reading={now || undefined}>
        {!again && (count > 1 || now) && (
          <span className={classes.partName}>
            Part {piece.index + 1}
            {now && <span className={classes.now}>being read</span>}
          </span>
        )}
        {words}
      </div>
    );
  });
}

/** A span without the white space at its ends. */
function trimmed(text: string, { start, end }: Span): Span {
  const words = text.slice(start, end);
  const from = start + words.length - words.trimStart().length;
  return { start: from, end: Math.max(from, start + words.trimEnd().length) };
}

/** Words of the document, those marked that share most with the summary's. */
function Words({
  text,
  span,
  overlap,
  link,
}: {
  readonly text: string;
  readonly span: Span;
  readonly overlap: Overlap | undefined;
  readonly link: SentenceLink;
}) {
  if (overlap === undefined) return text.slice(span.start, span.end);
  const { marks, linked } = overlap;
  return piecesWithin(span, marks).map((piece): ReactNode => {
    const words = text.slice(piece.start, piece.end);
    if (piece.kind === "text") return words;
    const isWhole = piece.start === piece.mark.start;
    return (
      <mark key={piece.start} className={classes.source}>
        <Marked mark={piece.mark} isWhole={isWhole} link={link} linked={linked}>
          {words}
        </Marked>
      </mark>
    );
  });
}

function Marked({
  mark: { of, isAnchor },
  isWhole,
  link,
  linked,
  children,
}: {
  readonly mark: Mark;
  /** Not the rest of a sentence that begins in another part. */
  readonly isWhole: boolean;
  readonly link: SentenceLink;
  readonly linked: readonly number[];
  readonly children: string;
}) {
  const [first = 0] = of;
  const numbers = [...of].sort((a, b) => a - b).map((index) => index + 1);
  const shared = {
    className: classes.words,
    "data-of": numbers.join(" "),
    "data-number": isWhole ? numbers.join(", ") : undefined,
    "data-on": (link.pointed !== undefined && of.includes(link.pointed.index)) || undefined,
  };
  if (!isAnchor || !isWhole) {
    return (
      // biome-ignore lint/a11y/noStaticElementInteractions: it only lights up; what leads on is reached by keys
      <span
        {...shared}
        onMouseEnter={() => link.hover({ index: first, side: "source" })}
        onMouseLeave={() => link.hover(undefined)}
      >
        {children}
      </span>
    );
  }
  return (
    <a {...sentenceProps(link, "source", first, linked)} {...shared}>
      {children}
    </a>
  );
}

function HowMarked({ overlap: { marks, without } }: { readonly overlap: Overlap }) {
  return (
    <p className={classes.how}>
      {marks.length === 0
        ? "No sentence here shares enough words with the summary to be marked: the model wrote its own."
        : "Marked by shared words (ROUGE overlap) with each sentence of the summary. That tells where its words stand, not what the model looked at."}
      {marks.length > 0 &&
        without > 0 &&
        ` ${counted(without, "sentence")} of the summary ${without === 1 ? "shares" : "share"} too little with any.`}
    </p>
  );
}

function Gap({ piece }: { readonly piece: Piece }) {
  return (
    <span className={classes.gap}>{counted(piece.end - piece.start, "character")} not shown</span>
  );
}
