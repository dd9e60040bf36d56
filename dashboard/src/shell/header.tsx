// The bar on top: name, pages, what is served, colour scheme.
import { AppShell, VisuallyHidden } from "@mantine/core";
import { BookOpenText } from "lucide-react";
import classes from "./header.module.css";
import { Mark } from "./mark.js";
import { currentPage, pages } from "./pages.js";
import { SchemeMenu } from "./scheme-menu.js";
import { KeyButton, ServerBadge } from "./server-badge.js";

export function Header() {
  const here = currentPage();
  return (
    <AppShell.Header className={classes.header}>
      <a className={classes.skip} href="#main">
        Skip to the document
      </a>
      <a className={classes.brand} href="/" aria-label="Bridle, start page">
        <Mark size={32} />
        <span className={classes.name}>Bridle</span>
      </a>
      <nav className={classes.nav} aria-label="Pages">
        {pages.map(({ path, label, icon: Icon }) => (
          <a
            key={path}
            href={path}
            className={classes.link}
            aria-current={path === here.path ? "page" : undefined}
          >
            <Icon size={17} aria-hidden />
            <span className={classes.linkLabel}>{label}</span>
          </a>
        ))}
        <a className={classes.link} href="/docs">
          <BookOpenText size={17} aria-hidden />
          <span className={classes.linkLabel}>
            API<VisuallyHidden> reference</VisuallyHidden>
          </span>
        </a>
      </nav>
      <div className={classes.end}>
        <ServerBadge />
        <KeyButton />
        <SchemeMenu />
      </div>
    </AppShell.Header>
  );
}
