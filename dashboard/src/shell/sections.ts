// The parts of the navigation, in its order; a part stands here once the server has what its pages show.
import {
  Boxes,
  ChartSpline,
  Database,
  type LucideIcon,
  Radar,
  Server,
  SlidersHorizontal,
  TextQuote,
} from "lucide-react";

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
  { path: "/configure", label: "Configure", icon: SlidersHorizontal, letter: "c" },
  { path: "/runs", label: "Runs", icon: ChartSpline, letter: "r" },
  { path: "/sweeps", label: "Sweeps", icon: Radar, letter: "s" },
  { path: "/registry", label: "Models", icon: Boxes, letter: "m" },
  { path: "/data", label: "Data", icon: Database, letter: "d" },
  { path: "/system", label: "System", icon: Server, letter: "y" },
];

export function isPlayground(path: string): boolean {
  return path === "/";
}

/** The section a path belongs to: `/runs/k3vd8wpq` to Runs. */
export function sectionOf(path: string): Section | undefined {
  return sections.find((section) =>
    section.path === "/" ? isPlayground(path) : `${path}/`.startsWith(`${section.path}/`),
  );
}
