// What every page but the playground has: a heading that says where one is, the way back up, and what can be done here.
import { ChevronRight } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { Link } from "./link.js";
import classes from "./page-frame.module.css";
import { takeArrival } from "./router.js";

export interface Crumb {
  readonly label: string;
  readonly href: string;
}

export function PageFrame({
  title,
  heading = title,
  about,
  crumbs = [],
  actions,
  isWide = false,
  children,
}: {
  /** For the tab of the browser. */
  readonly title: string;
  /** What stands as heading, where it is more than the title. */
  readonly heading?: ReactNode;
  readonly about?: ReactNode;
  readonly crumbs?: readonly Crumb[];
  readonly actions?: ReactNode;
  /** Tables and charts take all the room there is. */
  readonly isWide?: boolean;
  readonly children: ReactNode;
}) {
  const element = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Bridle`;
  }, [title]);
  // Who came here by a link goes on from the heading, and a screen reader says where that is.
  useEffect(() => {
    if (takeArrival()) element.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div className={classes.page} data-wide={isWide || undefined}>
      {crumbs.length > 0 && (
        <nav className={classes.crumbs} aria-label="Where this page is">
          <ol>
            {crumbs.map(({ label, href }) => (
              <li key={href}>
                <Link href={href}>{label}</Link>
                <ChevronRight size={14} aria-hidden />
              </li>
            ))}
          </ol>
        </nav>
      )}
      <div className={classes.head}>
        <div className={classes.titles}>
          <h1 className={classes.title} ref={element} tabIndex={-1}>
            {heading}
          </h1>
          {about !== undefined && <div className={classes.about}>{about}</div>}
        </div>
        {actions !== undefined && <div className={classes.actions}>{actions}</div>}
      </div>
      {children}
    </div>
  );
}

/** A part of a page with a heading of its own, on a card. */
export function Card({
  title,
  aside,
  isFlush = false,
  children,
}: {
  readonly title?: ReactNode;
  readonly aside?: ReactNode;
  /** Whether what is in it goes up to its edges, as tables do. */
  readonly isFlush?: boolean;
  readonly children: ReactNode;
}) {
  return (
    <section className={classes.card}>
      {title !== undefined && (
        <div className={classes.cardHead}>
          <h2 className={classes.cardTitle}>{title}</h2>
          {aside}
        </div>
      )}
      <div className={isFlush ? classes.flush : classes.cardBody}>{children}</div>
    </section>
  );
}
