// The document with the sentences marked that the summary rests on.
import { type ReactNode, useMemo, useRef } from "react";
import { layOut, type Piece } from "./excerpts.js";
import { counted } from "./figures.js";
import classes from "./source-view.module.css";
import { type SentenceLink, sentenceProps, useFollowing } from "./use-link.js";
import type { FinishedSummary } from "./use-summary.js";

export function SourceView({
  summary,
  link,
  shown,
}: {
  readonly summary: FinishedSummary;
  readonly link: SentenceLink;
  /** How many of the sources are drawn. */
  readonly shown: number;
}) {
  const pane = useRef<HTMLElement>(null);
  useFollowing(pane, "source", link.pointed);
  const text = summary.request.document;
  const { sources } = summary.answer;
  const pieces = useMemo(() => layOut(text, sources, shown), [text, sources, shown]);
  const count = Math.min(sources.length, shown);
  const drawn = new Set<number>();

  const draw = (piece: Piece): ReactNode => {
    if (piece.kind === "text") return text.slice(piece.start, piece.end);
    if (piece.kind === "gap") {
      return (
        <span key={piece.start} className={classes.gap}>
          {counted(piece.end - piece.start, "character")} not shown
        </span>
      );
    }
    const again = drawn.has(piece.index);
    drawn.add(piece.index);
    const words = text.slice(piece.start, piece.end);
    return (
      <mark key={piece.start} className={classes.source}>
        {again || summary.sentences === undefined ? (
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
  };

  return (
    <section
      ref={pane}
      className={classes.pane}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must be reachable to be scrolled by keys
      tabIndex={0}
      aria-label="Document with the chosen sentences marked"
    >
      <div className={classes.text}>{pieces.map(draw)}</div>
    </section>
  );
}
