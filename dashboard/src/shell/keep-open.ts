// Keeps a stream of events open while the page is seen, and opens it again, later and later, where it breaks off.
import { asProblem, isLocked } from "../api/http.js";
import { subscribeToKey } from "../api/key.js";

const shortestMs = 1000;
const longestMs = 30_000;

/**
 * @param follow reads the stream until the signal or its end, and calls `heard` when something has come
 * @returns how to stop
 */
export function keepOpen(
  follow: (signal: AbortSignal, heard: () => void) => Promise<void>,
): () => void {
  let stream: AbortController | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    stream?.abort();
    clearTimeout(again);
  };
  const open = (waitMs: number) => {
    close();
    if (document.visibilityState !== "visible") return;
    const own = new AbortController();
    stream = own;
    let hasHeard = false;
    const goOn = (nextMs: number) => {
      if (!own.signal.aborted) again = setTimeout(() => open(nextMs), waitMs);
    };
    follow(own.signal, () => {
      hasHeard = true;
    }).then(
      () => goOn(shortestMs),
      (thrown) => {
        // Without the key that it wants, asking again is of no use.
        if (isLocked(asProblem(thrown))) return;
        goOn(hasHeard ? shortestMs : Math.min(longestMs, waitMs * 2));
      },
    );
  };
  const anew = () => open(shortestMs);
  document.addEventListener("visibilitychange", anew);
  const unsubscribe = subscribeToKey(anew);
  anew();
  return () => {
    close();
    document.removeEventListener("visibilitychange", anew);
    unsubscribe();
  };
}
