// The pages there are: one row each, loaded when somebody goes there; the navigation is made from the sections.
import { type LucideIcon, Server, TextQuote } from "lucide-react";
import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { matchPath } from "./router.js";

export interface PageProps {
  /** What stands in the address for the `:names` of the page's path. */
  readonly params: Readonly<Record<string, string>>;
}

/** A part of the navigation. */
export interface Section {
  readonly path: string;
  readonly label: string;
  readonly icon: LucideIcon;
  /** Typed after `g`, goes there. */
  readonly letter: string;
}

export const sections: readonly Section[] = [
  { path: "/", label: "Playground", icon: TextQuote, letter: "p" },
  { path: "/system", label: "System", icon: Server, letter: "y" },
];

type Module = { default: ComponentType<PageProps> };

interface Page {
  readonly pattern: string;
  readonly load: () => Promise<Module>;
  readonly element: LazyExoticComponent<ComponentType<PageProps>>;
}

const page = (pattern: string, load: () => Promise<Module>): Page => ({
  pattern,
  load,
  element: lazy(load),
});

const pages: readonly Page[] = [page("/system", () => import("../system/system-page.js"))];

const loadPlayground = () => import("../playground/playground.js");
/** The playground stands apart: it keeps its document and its summaries while the person looks at other pages. */
export const Playground = lazy(loadPlayground);

export interface FoundPage {
  readonly element: Page["element"];
  readonly params: PageProps["params"];
}

export function findPage(path: string): FoundPage | undefined {
  for (const { pattern, element } of pages) {
    const params = matchPath(pattern, path);
    if (params !== undefined) return { element, params };
  }
  return undefined;
}

export function isPlayground(path: string): boolean {
  return path === "/";
}

/** The section a path belongs to: `/runs/k3vd8wpq` to Runs. */
export function sectionOf(path: string): Section | undefined {
  return sections.find((section) =>
    section.path === "/" ? isPlayground(path) : `${path}/`.startsWith(`${section.path}/`),
  );
}

/** Fetches a page's code ahead, because somebody is about to go there. */
export function preload(href: string): void {
  const { pathname } = new URL(href, window.location.href);
  const found = pages.find(({ pattern }) => matchPath(pattern, pathname) !== undefined);
  const load = isPlayground(pathname) ? loadPlayground : found?.load;
  // What goes wrong here goes wrong again, and is told, when the page is opened.
  load?.().catch(() => {});
}
