// Where the person is: the address bar as state, kept by the browser's own history.
import { useCallback, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
/** Set by going somewhere within the page, so that the next page's heading takes the focus. */
let hasArrived = false;

function tell(): void {
  for (const listener of listeners) listener();
}

window.addEventListener("popstate", () => {
  hasArrived = true;
  tell();
});

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const readPath = () => window.location.pathname;
const readSearch = () => window.location.search;

export function usePath(): string {
  return useSyncExternalStore(subscribe, readPath);
}

/** Goes to an address of this page, as a link does. */
export function go(to: string): void {
  const url = new URL(to, window.location.href);
  if (url.href === window.location.href) return;
  const isNewPath = url.pathname !== window.location.pathname;
  window.history.pushState(null, "", url);
  if (isNewPath) {
    hasArrived = true;
    window.scrollTo(0, 0);
  }
  tell();
}

/** True once after going to another page. */
export function takeArrival(): boolean {
  const arrived = hasArrived;
  hasArrived = false;
  return arrived;
}

export type SearchChanges = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The address with some of its search parameters changed; undefined and "" take one away, a list repeats it. */
export function withSearch(search: string, changes: SearchChanges): string {
  const params = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== "") params.append(name, each);
    }
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

export interface SearchControl {
  readonly params: URLSearchParams;
  /** Changes the address in place, so that "back" leaves the page rather than undo every letter typed. */
  readonly set: (changes: SearchChanges) => void;
}

/** The address's search parameters: what of a page's state can be sent to somebody else. */
export function useSearch(): SearchControl {
  const search = useSyncExternalStore(subscribe, readSearch);
  const set = useCallback((changes: SearchChanges) => {
    const next = withSearch(window.location.search, changes);
    if (next === window.location.search) return;
    window.history.replaceState(null, "", `${window.location.pathname}${next}`);
    tell();
  }, []);
  return { params: new URLSearchParams(search), set };
}

/**
 * What stands for the `:names` of a pattern, or undefined where a path does not fit it.
 * `/runs/:id` fits `/runs/k3vd8wpq` and not `/runs`.
 */
export function matchPath(
  pattern: string,
  path: string,
): Readonly<Record<string, string>> | undefined {
  const wanted = pattern.split("/").filter((part) => part !== "");
  const given = path.split("/").filter((part) => part !== "");
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const there = given[index] ?? "";
    if (part.startsWith(":")) {
      try {
        found[part.slice(1)] = decodeURIComponent(there);
      } catch {
        return undefined;
      }
    } else if (part !== there) return undefined;
  }
  return found;
}
