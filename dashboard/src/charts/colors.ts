// Colours of curves: ten that stand apart in light and dark, and after them the same ten with broken lines.
import { useMantineColorScheme } from "@mantine/core";
import { useEffect, useState } from "react";

const hues = 10;

export interface CurveLook {
  /** As CSS writes it, for what is drawn by the page. */
  readonly css: string;
  readonly hue: number;
  readonly isDashed: boolean;
}

/** How the curve at a place of a list looks. */
export function lookOf(place: number): CurveLook {
  const hue = place % hues;
  return { css: `var(--curve-${hue})`, hue, isDashed: Math.floor(place / hues) % 2 === 1 };
}

export interface ChartColors {
  readonly curves: readonly string[];
  readonly ink: string;
  readonly grid: string;
  readonly line: string;
  readonly surface: string;
}

function readColors(): ChartColors {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    curves: Array.from({ length: hues }, (_, hue) => read(`--curve-${hue}`)),
    ink: read("--ink-soft"),
    grid: read("--grid"),
    line: read("--line"),
    surface: read("--surface"),
  };
}

/** The colours as a canvas needs them, read again when the scheme changes. */
export function useChartColors(): ChartColors {
  const { colorScheme } = useMantineColorScheme();
  const [colors, setColors] = useState(readColors);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the scheme is the trigger
  useEffect(() => {
    const read = () => setColors(readColors());
    read();
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    // The attribute that the sheet goes by is set by another listener of the same event.
    const later = () => requestAnimationFrame(read);
    system.addEventListener("change", later);
    return () => system.removeEventListener("change", later);
  }, [colorScheme]);
  return colors;
}
