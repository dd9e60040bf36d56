// Starlette's redirect between a path and its twin with or without a slash at the end, for the original routes.

const originalPaths = ["/bert", "/bert-file/"];

/**
 * Where a path that is no route redirects to: without its last slashes, or with one, if that is an original route.
 * Source: starlette/routing.py (redirect_slashes) 1.10.
 */
export function findOriginalRedirect(path: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  const twin = decoded.endsWith("/") ? decoded.replace(/\/+$/, "") : `${decoded}/`;
  return originalPaths.includes(twin) && !originalPaths.includes(decoded) ? twin : undefined;
}
