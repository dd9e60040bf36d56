// The pages there are: one row each; the header's navigation is made from this list.
import { type LucideIcon, TextQuote } from "lucide-react";
import type { ComponentType } from "react";
import { Playground } from "../playground/playground.js";

export interface Page {
  readonly path: string;
  readonly label: string;
  readonly icon: LucideIcon;
  readonly element: ComponentType;
}

const playground: Page = {
  path: "/",
  label: "Playground",
  icon: TextQuote,
  element: Playground,
};

export const pages: readonly Page[] = [playground];

export function currentPage(path: string = window.location.pathname): Page {
  return pages.find((page) => page.path === path) ?? playground;
}
