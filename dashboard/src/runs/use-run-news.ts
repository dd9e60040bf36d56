// News of runs that begin, go on or end: one stream for whoever wants to hear of them, open while the page is seen.
import { useEffect } from "react";
import { followRuns, type Run } from "../api/runs.js";
import { keepOpen } from "../shell/keep-open.js";

const listeners = new Set<(run: Run) => void>();
let stop: () => void = () => {};

/** Calls back with each run as it changes, for as long as the component is there. */
export function useRunNews(onRun: (run: Run) => void): void {
  useEffect(() => {
    listeners.add(onRun);
    if (listeners.size === 1) {
      stop = keepOpen((signal, heard) =>
        followRuns(signal, (run) => {
          heard();
          for (const listener of listeners) listener(run);
        }),
      );
    }
    return () => {
      listeners.delete(onRun);
      if (listeners.size === 0) stop();
    };
  }, [onRun]);
}
