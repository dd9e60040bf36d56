// How menus and other things that float above the page are put into it.
import classes from "./floating.module.css";

/** Inside the main landmark, where assistive technology looks for what belongs to the page. */
const portalProps = { target: "#main" } as const;

export const menuProps = {
  shadow: "md",
  portalProps,
  classNames: { item: classes.item ?? "" },
  // The placeholder would be a child that a menu must not have.
  withInitialFocusPlaceholder: false,
} as const;

export const popoverProps = {
  shadow: "md",
  portalProps,
  trapFocus: true,
  returnFocus: true,
} as const;

export const tooltipProps = { portalProps } as const;
