// A link within the page: it goes there without loading anything anew, and stays a link for every other use.
import type { AnchorHTMLAttributes, MouseEvent, Ref } from "react";
import { preload } from "./preload.js";
import { go } from "./router.js";

export interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  readonly href: string;
  readonly ref?: Ref<HTMLAnchorElement>;
}

export function Link({ href, onClick, onPointerEnter, onFocus, ...props }: LinkProps) {
  return (
    <a
      {...props}
      href={href}
      onPointerEnter={(event) => {
        preload(href);
        onPointerEnter?.(event);
      }}
      onFocus={(event) => {
        preload(href);
        onFocus?.(event);
      }}
      onClick={(event) => {
        onClick?.(event);
        if (!isPlain(event) || event.defaultPrevented || props.target) return;
        event.preventDefault();
        go(href);
      }}
    />
  );
}

/** Whether a click asks for nothing but to go there: not for a new tab, a window or a download. */
function isPlain({ button, metaKey, ctrlKey, shiftKey, altKey }: MouseEvent): boolean {
  return button === 0 && !metaKey && !ctrlKey && !shiftKey && !altKey;
}
