// A plain table, scrolled sideways where it is wider than its card, by the keyboard too; where more of it is, it fades out.
import { type ReactNode, useEffect, useRef } from "react";
import classes from "./table.module.css";

export function Table({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ReactNode;
}) {
  const box = useRef<HTMLElement>(null);
  useEffect(() => (box.current === null ? undefined : markEnds(box.current)), []);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className={classes.scroll} aria-label={label} tabIndex={0} ref={box}>
      <table className={classes.table}>{children}</table>
    </section>
  );
}

/** Keeps told, by attributes, on which sides there is more. @returns ends that */
function markEnds(box: HTMLElement): () => void {
  const mark = () => {
    const { scrollLeft, scrollWidth, clientWidth } = box;
    box.toggleAttribute("data-more-left", scrollLeft > 1);
    box.toggleAttribute("data-more-right", scrollLeft + clientWidth < scrollWidth - 1);
  };
  const observer = new ResizeObserver(mark);
  for (const each of [box, ...box.children]) observer.observe(each);
  box.addEventListener("scroll", mark, { passive: true });
  return () => {
    observer.disconnect();
    box.removeEventListener("scroll", mark);
  };
}
