// What one run tells while it goes on, for the parts of its page: one stream, however many of them listen.
import { useEffect, useRef, useState } from "react";
import { followRun, type RunNews } from "../api/runs.js";
import { keepOpen } from "../shell/keep-open.js";

type Listener = (news: RunNews) => void;

export interface RunStream {
  /** @returns how to stop */
  readonly subscribe: (listener: Listener) => () => void;
}

/** @param isOn whether the run may still tell something */
export function useRunStream(id: string, isOn: boolean): RunStream {
  const [listeners] = useState(() => new Set<Listener>());
  const [stream] = useState<RunStream>(() => ({
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  }));
  useEffect(() => {
    if (!isOn) return undefined;
    return keepOpen((signal, heard) =>
      followRun(id, signal, (news) => {
        heard();
        for (const listener of listeners) listener(news);
      }),
    );
  }, [id, isOn, listeners]);
  return stream;
}

/** Calls back with what comes, for as long as the component is there. */
export function useNews(stream: RunStream | undefined, onNews: Listener): void {
  const latest = useRef(onNews);
  useEffect(() => {
    latest.current = onNews;
  });
  useEffect(() => stream?.subscribe((news) => latest.current(news)), [stream]);
}
