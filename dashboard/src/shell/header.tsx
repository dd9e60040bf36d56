// The bar on top: name, pages, what is served, colour scheme. On a phone the pages open below it.
import { AppShell, VisuallyHidden } from "@mantine/core";
import { BookOpenText, Menu, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import classes from "./header.module.css";
import { HelpButton } from "./help-dialog.js";
import { Link } from "./link.js";
import { Mark } from "./mark.js";
import { usePath } from "./router.js";
import { SchemeMenu } from "./scheme-menu.js";
import { sectionOf, sections } from "./sections.js";
import { KeyButton, ServerBadge } from "./server-badge.js";

export function Header() {
  const path = usePath();
  const here = sectionOf(path);
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: arriving somewhere is what closes it
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const close = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      button.current?.focus();
    };
    window.addEventListener("keydown", close);
    return () => window.removeEventListener("keydown", close);
  }, [isOpen]);
  return (
    <AppShell.Header className={classes.header}>
      <a className={classes.skip} href="#main">
        Skip to the {here?.path === "/" ? "document" : "content"}
      </a>
      <button
        ref={button}
        type="button"
        className={classes.burger}
        aria-label="Pages"
        aria-expanded={isOpen}
        aria-controls="pages"
        onClick={() => setOpen(!isOpen)}
      >
        {isOpen ? <X size={20} aria-hidden /> : <Menu size={20} aria-hidden />}
      </button>
      <Link className={classes.brand} href="/" aria-label="Bridle, start page">
        <Mark size={32} />
        <span className={classes.name}>Bridle</span>
      </Link>
      <nav id="pages" className={classes.nav} aria-label="Pages" data-open={isOpen || undefined}>
        {sections.map(({ path: to, label, icon: Icon }) => (
          <Link
            key={to}
            href={to}
            className={classes.link}
            aria-current={to === here?.path ? "page" : undefined}
            onClick={() => setOpen(false)}
          >
            <Icon size={17} aria-hidden />
            {label}
          </Link>
        ))}
        <a className={classes.link} href="/docs">
          <BookOpenText size={17} aria-hidden />
          <span>
            API<VisuallyHidden> reference</VisuallyHidden>
          </span>
        </a>
      </nav>
      <div className={classes.end}>
        <ServerBadge />
        <KeyButton />
        <HelpButton />
        <SchemeMenu />
      </div>
    </AppShell.Header>
  );
}
