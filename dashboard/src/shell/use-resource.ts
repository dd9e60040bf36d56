// Something the server has, as a page shows it: looked up, looked up again when it changes, and thrown away with the key.
import { useCallback, useEffect, useRef, useState } from "react";
import { concerns, type Subject } from "../api/changes.js";
import { asProblem } from "../api/http.js";
import { subscribeToKey } from "../api/key.js";
import type { Problem } from "../api/problem.js";
import { isListening, subscribeToChanges } from "./changes.js";

export interface Resource<T> {
  /** What came last; undefined until something has. */
  readonly data: T | undefined;
  /** What went wrong the last time, if it did. */
  readonly problem: Problem | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
  /** Puts in what came another way, such as by an event. */
  readonly update: (change: (before: T) => T) => void;
}

interface Kept {
  readonly key: string;
  readonly data: unknown;
}

/** So that going back shows at once what was there, while it is looked up again. */
const kept: Kept[] = [];
const mostKept = 60;

function keep(key: string, data: unknown): void {
  forget(key);
  kept.push({ key, data });
  if (kept.length > mostKept) kept.shift();
}

function forget(key: string): void {
  const place = kept.findIndex((each) => each.key === key);
  if (place >= 0) kept.splice(place, 1);
}

// What one key may see is nothing for the next one.
subscribeToKey(() => kept.splice(0));

interface State {
  readonly key: string | undefined;
  readonly data: unknown;
  readonly problem: Problem | undefined;
  readonly isLoading: boolean;
}

function begin(key: string | undefined): State {
  const found = kept.find((each) => each.key === key);
  return { key, data: found?.data, problem: undefined, isLoading: key !== undefined };
}

/** What is told of changes need not be asked for; what stands beside, such as "2 minutes ago", grows old all the same. */
const whileToldMs = 60_000;
/** Without the stream of changes. */
const untoldMs = 15_000;
/** Changes that come one after another make one new look, not one each. */
const leastBetweenMs = 1000;

export interface ResourceOptions {
  /** Looks again so often while the page is seen. */
  readonly everyMs?: number | undefined;
  /** Looks again when something of this has changed. */
  readonly about?: readonly Subject[];
  /** Shows what an earlier key had until the new one's is there, for tables whose filter is changed. */
  readonly holdsOver?: boolean;
}

/**
 * @param key tells what is looked up, such as its path; undefined for nothing
 * @param load is called again whenever the key changes, and may close over what the key tells
 */
export function useResource<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
  { everyMs, about, holdsOver = false }: ResourceOptions = {},
): Resource<T> {
  const [state, setState] = useState(() => begin(key));
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });

  // The state of another key is none of this one's, and an effect would show it for a moment.
  let shown = state;
  if (state.key !== key) {
    shown = begin(key);
    if (holdsOver && shown.data === undefined) shown = { ...shown, data: state.data };
    setState(shown);
  }

  const subjects = about?.join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: turn is the trigger
  useEffect(() => {
    if (key === undefined) return undefined;
    const told = subjects?.split("\n") as readonly Subject[] | undefined;
    let controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lookedAt = 0;
    let isLooking = false;
    let hasChanged = false;
    const look = async () => {
      clearTimeout(timer);
      // What is still on its way was asked for earlier, and maybe with another key.
      controller.abort();
      controller = new AbortController();
      const { signal } = controller;
      lookedAt = performance.now();
      isLooking = true;
      hasChanged = false;
      setState((before) => (before.key === key ? { ...before, isLoading: true } : before));
      try {
        const data = await latest.current(signal);
        if (signal.aborted) return;
        keep(key, data);
        setState({ key, data, problem: undefined, isLoading: false });
      } catch (thrown) {
        if (signal.aborted) return;
        const problem = asProblem(thrown);
        setState((before) => ({ ...before, key, problem, isLoading: false }));
      }
      isLooking = false;
      const pause = told === undefined ? everyMs : isListening() ? whileToldMs : untoldMs;
      if (hasChanged) lookSoon();
      else if (pause !== undefined) timer = setTimeout(lookIfSeen, pause);
    };
    const lookIfSeen = () => {
      if (document.visibilityState === "visible") void look();
    };
    const lookSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(lookIfSeen, Math.max(0, lookedAt + leastBetweenMs - performance.now()));
    };
    const onKey = () => {
      setState(begin(key));
      void look();
    };
    void look();
    const unsubscribe = [subscribeToKey(onKey)];
    if (told !== undefined) {
      unsubscribe.push(
        subscribeToChanges((changes) => {
          if (!concerns(changes, told)) return;
          // What is on its way may have been read before the change.
          if (isLooking) hasChanged = true;
          else lookSoon();
        }),
      );
    } else if (everyMs !== undefined) {
      document.addEventListener("visibilitychange", lookIfSeen);
    }
    return () => {
      controller.abort();
      clearTimeout(timer);
      for (const each of unsubscribe) each();
      document.removeEventListener("visibilitychange", lookIfSeen);
    };
  }, [key, everyMs, subjects, turn]);

  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const update = useCallback(
    (change: (before: T) => T) =>
      setState((before) => {
        if (before.key !== key || before.data === undefined || key === undefined) return before;
        const data = change(before.data as T);
        keep(key, data);
        return { ...before, data };
      }),
    [key],
  );
  return {
    data: shown.data as T | undefined,
    problem: shown.problem,
    isLoading: shown.isLoading,
    reload,
    update,
  };
}
