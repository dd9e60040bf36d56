// Bridle's look: bottle green to act with, brass to mark with, on paper with a breath of green in it.
import { createTheme, type MantineColorsTuple, Notification } from "@mantine/core";

const pine: MantineColorsTuple = [
  "#edf5f1",
  "#dbe9e2",
  "#b5d3c5",
  "#8cbda7",
  "#67a689",
  "#4d9073",
  "#3a7a5f",
  "#2a644c",
  "#1c4f3b",
  "#11392a",
];

/** Greys with the same breath of green, so that borders and muted text belong to the paper. */
const gray: MantineColorsTuple = [
  "#f7f9f7",
  "#f0f3f0",
  "#e5eae6",
  "#d8dfda",
  "#c3ccc6",
  "#9aa69f",
  "#66736c",
  "#4f5b55",
  "#343e39",
  "#1a231f",
];

const dark: MantineColorsTuple = [
  "#d9e2dd",
  "#b9c5bf",
  "#95a39c",
  "#6c7a73",
  "#37433d",
  "#29342f",
  "#1e2723",
  "#171f1b",
  "#111815",
  "#0b100e",
];

// Faces that ship with the systems, the reading face first on macOS, Windows, Linux and Android.
const sans =
  '"Inter", "Segoe UI Variable Text", "Segoe UI", "SF Pro Text", -apple-system, "Cantarell", "Noto Sans", "Roboto", "DejaVu Sans Condensed", system-ui, sans-serif';
const serif =
  '"Iowan Old Style", "Charter", "Sitka Text", "Cambria", "Noto Serif", "Georgia", "DejaVu Serif Condensed", ui-serif, serif';
const mono =
  'ui-monospace, "SF Mono", "Cascadia Mono", "Consolas", "Noto Sans Mono", "DejaVu Sans Mono", monospace';

export const theme = createTheme({
  colors: { pine, gray, dark },
  primaryColor: "pine",
  primaryShade: { light: 8, dark: 6 },
  black: "#18211d",
  fontFamily: sans,
  fontFamilyMonospace: mono,
  headings: { fontFamily: sans, fontWeight: "650" },
  defaultRadius: "md",
  radius: { xs: "4px", sm: "6px", md: "8px", lg: "12px", xl: "20px" },
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    // A cross alone tells a screen reader nothing.
    Notification: Notification.extend({
      defaultProps: { closeButtonProps: { "aria-label": "Close this message" } },
    }),
  },
  other: { serif },
});
