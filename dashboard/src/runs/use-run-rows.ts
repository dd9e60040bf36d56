// The runs of a table: fetched a page at a time as they come into sight, kept up to date while they go on.
import { useCallback, useEffect, useRef, useState } from "react";
import { asProblem } from "../api/http.js";
import { subscribeToKey } from "../api/key.js";
import type { Problem } from "../api/problem.js";
import { listRuns, type Run } from "../api/runs.js";
import { useRunNews } from "./use-run-news.js";

const pageSize = 100;
/** Runs that begin one after another make one new look, not one each. */
const settleMs = 1000;

export interface RunRows {
  /** How many there are; undefined until it is known, and where a problem keeps from finding any. */
  readonly total: number | undefined;
  readonly problem: Problem | undefined;
  /** Undefined while it is on its way. */
  readonly runAt: (index: number) => Run | undefined;
  /** Those that have come, in their order. */
  readonly known: readonly Run[];
  /** These rows are in sight. */
  readonly need: (first: number, last: number) => void;
  readonly reload: () => void;
}

interface Rows {
  readonly query: string;
  readonly total: number | undefined;
  readonly pages: ReadonlyMap<number, readonly Run[]>;
  readonly problem: Problem | undefined;
}

export function useRunRows(filters: readonly string[], sort: string): RunRows {
  const query = JSON.stringify([filters, sort]);
  const [turn, setTurn] = useState(0);
  const [rows, setRows] = useState<Rows>({
    query,
    total: undefined,
    pages: new Map(),
    problem: undefined,
  });
  const asked = useRef(new Set<number>());
  const controller = useRef<AbortController>(undefined);
  const wanted = useRef({ filters, sort });
  useEffect(() => {
    wanted.current = { filters, sort };
  });

  const fetchPage = useCallback(
    async (page: number) => {
      const own = controller.current;
      if (own === undefined || asked.current.has(page)) return;
      asked.current.add(page);
      try {
        const { runs, total } = await listRuns(
          { ...wanted.current, limit: pageSize, offset: page * pageSize },
          own.signal,
        );
        if (own.signal.aborted) return;
        setRows((before) => ({
          query,
          total,
          problem: undefined,
          // What was there stays in sight until its successor has come.
          pages: new Map(before.query === query ? before.pages : []).set(page, runs),
        }));
      } catch (thrown) {
        if (own.signal.aborted) return;
        asked.current.delete(page);
        const problem = asProblem(thrown);
        setRows((before) => ({ ...before, problem }));
      }
    },
    [query],
  );

  const inSight = useRef<readonly [number, number]>([0, 0]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: turn is a trigger
  useEffect(() => {
    const own = new AbortController();
    controller.current = own;
    asked.current = new Set();
    const [first, last] = inSight.current;
    void fetchPage(0);
    for (let page = first; page <= last; page += 1) void fetchPage(page);
    return () => own.abort();
  }, [fetchPage, turn]);

  const reload = useCallback(() => setTurn((before) => before + 1), []);
  useEffect(() => subscribeToKey(reload), [reload]);

  const need = useCallback(
    (first: number, last: number) => {
      inSight.current = [Math.floor(first / pageSize), Math.floor(last / pageSize)];
      for (let page = inSight.current[0]; page <= inSight.current[1]; page += 1) {
        void fetchPage(page);
      }
    },
    [fetchPage],
  );

  const settling = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(settling.current), []);
  useRunNews(
    useCallback(
      (run: Run) => {
        setRows((before) => {
          for (const [page, runs] of before.pages) {
            const place = runs.findIndex(({ id }) => id === run.id);
            if (place < 0) continue;
            return { ...before, pages: new Map(before.pages).set(page, runs.with(place, run)) };
          }
          // One that is not here may belong here: look again once it is quiet.
          clearTimeout(settling.current);
          settling.current = setTimeout(reload, settleMs);
          return before;
        });
      },
      [reload],
    ),
  );

  const runAt = useCallback(
    (index: number) => rows.pages.get(Math.floor(index / pageSize))?.[index % pageSize],
    [rows.pages],
  );
  const known = [...rows.pages].sort(([a], [b]) => a - b).flatMap(([, runs]) => runs);
  // What other conditions had found is no answer to these.
  const isOther = rows.problem !== undefined && rows.query !== query;
  const total = isOther ? undefined : rows.total;
  return { total, problem: rows.problem, runAt, known, need, reload };
}
