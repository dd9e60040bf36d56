// Which of many rows of one height are in sight, so that only those are drawn.
import { type RefObject, useCallback, useEffect, useState } from "react";

/** Rows drawn beyond what is seen, so that scrolling shows no blank. */
const beyond = 8;

export interface RowRange {
  readonly first: number;
  /** Not included. */
  readonly end: number;
}

/** The rows to draw of so many. */
export function rowsInSight(
  scrollTop: number,
  height: number,
  rowHeight: number,
  count: number,
): RowRange {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - beyond);
  const end = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + beyond);
  return { first: Math.min(first, Math.max(0, count - 1)), end };
}

/** Follows the scrolling of a box. */
export function useVirtualRows(
  box: RefObject<HTMLElement | null>,
  rowHeight: number,
  count: number,
): RowRange {
  const [range, setRange] = useState<RowRange>({ first: 0, end: Math.min(count, 40) });
  const look = useCallback(() => {
    const element = box.current;
    if (element === null) return;
    const next = rowsInSight(element.scrollTop, element.clientHeight, rowHeight, count);
    setRange((before) => (before.first === next.first && before.end === next.end ? before : next));
  }, [box, rowHeight, count]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [box, look]);
  return range;
}
