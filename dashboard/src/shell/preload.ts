// Fetches a page's code ahead, because somebody is about to go there; pages have links, so that these know no pages.

let load: (path: string) => void = () => {};

/** Names what knows the pages. */
export function onPreload(loader: (path: string) => void): void {
  load = loader;
}

export function preload(href: string): void {
  load(new URL(href, window.location.href).pathname);
}
