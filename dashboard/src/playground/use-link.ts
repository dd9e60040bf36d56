// Ties each sentence of the summary to its place in the document: pointing at one marks the other and brings it into view.
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useState } from "react";

export type Side = "summary" | "source";

export interface Pointed {
  readonly index: number;
  /** Where the person points; the other side follows. */
  readonly side: Side;
}

export interface SentenceLink {
  /** Tells the sentences of one summary from those of another on the same page. */
  readonly slot: number;
  readonly pointed: Pointed | undefined;
  readonly hover: (pointed: Pointed | undefined) => void;
  readonly focus: (pointed: Pointed | undefined) => void;
  /** Moves keyboard focus to the other end. */
  readonly follow: (from: Pointed) => void;
}

/** @param slot place of the summary whose sources the document shows */
export function useLink(slot: number): SentenceLink {
  const [hovered, hover] = useState<Pointed>();
  const [focused, focus] = useState<Pointed>();
  const follow = useCallback(
    (from: Pointed) => {
      const target = findSentence(from.side === "summary" ? "source" : "summary", from.index, slot);
      if (target === null) return;
      hover(undefined);
      target.focus({ preventScroll: true });
      target.scrollIntoView({ block: "center", behavior: scrollBehavior() });
    },
    [slot],
  );
  return { slot, pointed: hovered ?? focused, hover, focus, follow };
}

/** The link as a summary has it that is not the one in focus: pointing at it is what brings it there. */
export function unfocusedLink(
  link: SentenceLink,
  slot: number,
  onPointed: () => void,
): SentenceLink {
  const first = (act: (pointed: Pointed | undefined) => void) => (pointed: Pointed | undefined) => {
    if (pointed !== undefined) onPointed();
    act(pointed);
  };
  return { ...link, slot, pointed: undefined, hover: first(link.hover), focus: first(link.focus) };
}

export function sentenceId(side: Side, index: number, slot: number): string {
  // The document shows the sources of one summary at a time.
  return `${side}-${index + 1}${side === "summary" && slot > 0 ? `-${slot + 1}` : ""}`;
}

/** Where a sentence of the summary leads to; one of the document may be that of several. */
function findSentence(side: Side, index: number, slot: number): HTMLElement | null {
  const own = document.getElementById(sentenceId(side, index, slot));
  if (own !== null || side === "summary") return own;
  return document.querySelector<HTMLElement>(`[data-of~="${index + 1}"]`);
}

/** Scrolls `pane`, and nothing else, to the sentence that is pointed at on the other side. */
export function useFollowing(
  pane: RefObject<HTMLElement | null>,
  side: Side,
  { pointed, slot }: SentenceLink,
): void {
  useEffect(() => {
    if (pointed === undefined || pointed.side === side) return;
    scrollTo(pane.current, findSentence(side, pointed.index, slot));
  }, [pane, side, pointed, slot]);
}

/** Brings a target into the middle of its scrolling pane, and moves nothing else. */
export function scrollTo(pane: HTMLElement | null, target: HTMLElement | null): void {
  if (pane === null || target === null) return;
  const frame = pane.getBoundingClientRect();
  const box = target.getBoundingClientRect();
  if (box.top >= frame.top && box.bottom <= frame.bottom) return;
  const middle = box.top - frame.top - Math.max(0, (frame.height - box.height) / 2);
  pane.scrollBy({ top: middle, behavior: scrollBehavior() });
}

/**
 * Handlers and attributes of one sentence; the sentences of a side are one tab stop, arrow keys go between them.
 * @param among how many there are, or the places of those that lead anywhere
 */
export function sentenceProps(
  link: SentenceLink,
  side: Side,
  index: number,
  among: number | readonly number[],
) {
  const me: Pointed = { index, side };
  const places = typeof among === "number" ? undefined : among;
  const stop = link.pointed?.side === side ? link.pointed.index : (places?.[0] ?? 0);
  return {
    id: sentenceId(side, index, link.slot),
    href: `#${sentenceId(side === "summary" ? "source" : "summary", index, link.slot)}`,
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
      const here = places === undefined ? index : places.indexOf(index);
      const next = nextIndex(event.key, here, places?.length ?? (among as number));
      if (next === undefined) return;
      event.preventDefault();
      findSentence(side, places?.[next] ?? next, link.slot)?.focus();
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
