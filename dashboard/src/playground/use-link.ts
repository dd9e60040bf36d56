// Ties each sentence of the summary to its place in the document: pointing at one marks the other and brings it into view.
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useState } from "react";

export type Side = "summary" | "source";

export interface Pointed {
  readonly index: number;
  /** Where the person points; the other side follows. */
  readonly side: Side;
}

export interface SentenceLink {
  readonly pointed: Pointed | undefined;
  readonly hover: (pointed: Pointed | undefined) => void;
  readonly focus: (pointed: Pointed | undefined) => void;
  /** Moves keyboard focus to the other end. */
  readonly follow: (from: Pointed) => void;
}

export function useLink(): SentenceLink {
  const [hovered, hover] = useState<Pointed>();
  const [focused, focus] = useState<Pointed>();
  const follow = useCallback((from: Pointed) => {
    const target = document.getElementById(
      sentenceId(from.side === "summary" ? "source" : "summary", from.index),
    );
    if (target === null) return;
    hover(undefined);
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "center", behavior: scrollBehavior() });
  }, []);
  return { pointed: hovered ?? focused, hover, focus, follow };
}

export function sentenceId(side: Side, index: number): string {
  return `${side}-${index + 1}`;
}

/** Scrolls `pane`, and nothing else, to the sentence that is pointed at on the other side. */
export function useFollowing(
  pane: RefObject<HTMLElement | null>,
  side: Side,
  pointed: Pointed | undefined,
): void {
  useEffect(() => {
    if (pointed === undefined || pointed.side === side || pane.current === null) return;
    const target = document.getElementById(sentenceId(side, pointed.index));
    if (target === null) return;
    const frame = pane.current.getBoundingClientRect();
    const box = target.getBoundingClientRect();
    if (box.top >= frame.top && box.bottom <= frame.bottom) return;
    const middle = box.top - frame.top - Math.max(0, (frame.height - box.height) / 2);
    pane.current.scrollBy({ top: middle, behavior: scrollBehavior() });
  }, [pane, side, pointed]);
}

/** Handlers and attributes of one sentence; the sentences of a side are one tab stop, arrow keys go between them. */
export function sentenceProps(link: SentenceLink, side: Side, index: number, count: number) {
  const me: Pointed = { index, side };
  const stop = link.pointed?.side === side ? link.pointed.index : 0;
  return {
    id: sentenceId(side, index),
    href: `#${sentenceId(side === "summary" ? "source" : "summary", index)}`,
    tabIndex: index === stop ? 0 : -1,
    draggable: false,
    "data-on": link.pointed?.index === index || undefined,
    onMouseEnter: () => link.hover(me),
    onMouseLeave: () => link.hover(undefined),
    onFocus: () => link.focus(me),
    onBlur: () => link.focus(undefined),
    onClick: (event: { preventDefault(): void }) => {
      event.preventDefault();
      // Text that was just selected with the mouse is not a click.
      if (window.getSelection()?.isCollapsed !== false) link.follow(me);
    },
    onKeyDown: (event: KeyboardEvent) => {
      const next = nextIndex(event.key, index, count);
      if (next === undefined) return;
      event.preventDefault();
      document.getElementById(sentenceId(side, next))?.focus();
    },
  };
}

function nextIndex(key: string, index: number, count: number): number | undefined {
  if (key === "ArrowDown" || key === "ArrowRight") return Math.min(index + 1, count - 1);
  if (key === "ArrowUp" || key === "ArrowLeft") return Math.max(index - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return undefined;
}

function scrollBehavior(): ScrollBehavior {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}
