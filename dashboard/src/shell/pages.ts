// The pages there are: one row each, loaded when somebody goes there.
import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { onPreload } from "./preload.js";
import { matchPath } from "./router.js";
import { isPlayground } from "./sections.js";

export interface PageProps {
  /** What stands in the address for the `:names` of the page's path. */
  readonly params: Readonly<Record<string, string>>;
}

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

const pages: readonly Page[] = [
  page("/configure", () => import("../configure/configure-page.js")),
  page("/runs", () => import("../runs/runs-page.js")),
  page("/runs/compare", () => import("../runs/compare-page.js")),
  page("/runs/:id", () => import("../runs/run-page.js")),
  page("/sweeps", () => import("../sweeps/sweeps-page.js")),
  page("/sweeps/:name", () => import("../sweeps/sweep-page.js")),
  page("/registry", () => import("../models/models-page.js")),
  page("/registry/:name", () => import("../models/model-page.js")),
  page("/registry/:name/:version", () => import("../models/version-page.js")),
  page("/data", () => import("../data/data-page.js")),
  page("/data/:id", () => import("../data/version-page.js")),
  page("/system", () => import("../system/system-page.js")),
];

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

onPreload((path) => {
  const found = pages.find(({ pattern }) => matchPath(pattern, path) !== undefined);
  const load = isPlayground(path) ? loadPlayground : found?.load;
  // What goes wrong here goes wrong again, and is told, when the page is opened.
  load?.().catch(() => {});
});
