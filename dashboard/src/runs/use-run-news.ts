// News of runs that begin, go on or end: one stream for whoever wants to hear of them, open while the page is seen.
import { useEffect } from "react";
import { asProblem, isLocked } from "../api/http.js";
import { subscribeToKey } from "../api/key.js";
import { followRuns, type Run } from "../api/runs.js";

const listeners = new Set<(run: Run) => void>();
let stream: AbortController | undefined;
let again: ReturnType<typeof setTimeout> | undefined;
const shortestMs = 1000;
const longestMs = 30_000;

function listen(waitMs = shortestMs): void {
  stream?.abort();
  clearTimeout(again);
  if (listeners.size === 0 || document.visibilityState !== "visible") return;
  const own = new AbortController();
  stream = own;
  let heard = false;
  const goOn = (longer: number) => {
    if (!own.signal.aborted) again = setTimeout(() => listen(longer), waitMs);
  };
  followRuns(own.signal, (run) => {
    heard = true;
    for (const listener of listeners) listener(run);
  }).then(
    () => goOn(shortestMs),
    (thrown) => {
      // Without the key that it wants, asking again is of no use.
      if (own.signal.aborted || isLocked(asProblem(thrown))) return;
      goOn(heard ? shortestMs : Math.min(longestMs, waitMs * 2));
    },
  );
}

document.addEventListener("visibilitychange", () => listen());
subscribeToKey(() => listen());

/** Calls back with each run as it changes, for as long as the component is there. */
export function useRunNews(onRun: (run: Run) => void): void {
  useEffect(() => {
    listeners.add(onRun);
    if (listeners.size === 1) listen();
    return () => {
      listeners.delete(onRun);
      if (listeners.size === 0) listen();
    };
  }, [onRun]);
}
