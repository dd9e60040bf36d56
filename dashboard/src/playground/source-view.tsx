// The document with what a summary rests on: sentences marked, or the parts that a model has read set apart.
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { counted } from "../shell/figures.js";
import { layOut, type Piece } from "./excerpts.js";
import type { MarkedDocument } from "./marked-document.js";
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
  const { text, sources, kind, reading } = marked;
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
          : "Document with the parts that were read set apart"
      }
    >
      <div className={classes.text} data-kind={kind}>
        {kind === "sentences" ? (
          <Sentences
            text={text}
            pieces={pieces}
            count={Math.min(sources.length, shown)}
            link={link}
          />
        ) : (
          <Parts text={text} pieces={pieces} count={sources.length} reading={reading} />
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
}: {
  readonly text: string;
  readonly pieces: readonly Piece[];
  readonly count: number;
  readonly reading: number | undefined;
}) {
  const drawn = new Set<number>();
  return pieces.map((piece): ReactNode => {
    if (piece.kind === "gap") return <Gap key={piece.start} piece={piece} />;
    const words = text.slice(piece.start, piece.end).trim();
    if (words === "") return null;
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

function Gap({ piece }: { readonly piece: Piece }) {
  return (
    <span className={classes.gap}>{counted(piece.end - piece.start, "character")} not shown</span>
  );
}
