// The lines a run told, as they come: followed to the end until somebody scrolls up.
import { Button, Switch } from "@mantine/core";
import { useCallback, useEffect, useRef, useState } from "react";
import { asProblem } from "../api/http.js";
import type { Problem } from "../api/problem.js";
import { type LogLine, readLines } from "../api/runs.js";
import { clock } from "../shell/format.js";
import { Failed, Waiting } from "../shell/states.js";
import { useVirtualRows } from "../shell/virtual-rows.js";
import classes from "./logs-view.module.css";
import { type RunStream, useNews } from "./use-run-stream.js";

const rowHeight = 21;
const atOnce = 1000;

export function LogsView({
  id,
  isRunning,
  stream,
}: {
  readonly id: string;
  readonly isRunning: boolean;
  readonly stream: RunStream;
}) {
  const [lines, setLines] = useState<readonly LogLine[]>();
  const [problem, setProblem] = useState<Problem>();
  const [turn, setTurn] = useState(0);
  const [isFollowing, setFollowing] = useState(isRunning);
  const box = useRef<HTMLDivElement>(null);
  const last = useRef(-1);

  // biome-ignore lint/correctness/useExhaustiveDependencies: turn is a trigger
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const look = async () => {
      try {
        for (;;) {
          const more = await readLines(
            id,
            { after: last.current < 0 ? undefined : last.current, limit: atOnce },
            signal,
          );
          if (signal.aborted) return;
          last.current = more.at(-1)?.number ?? last.current;
          setLines((before = []) => (more.length === 0 ? before : [...before, ...more]));
          setProblem(undefined);
          if (more.length < atOnce) break;
        }
      } catch (thrown) {
        if (!signal.aborted) setProblem(asProblem(thrown));
      }
    };
    void look();
    return () => controller.abort();
  }, [id, turn]);
  useNews(stream, (news) => {
    const newest = news.type === "lines" ? news.lines.at(-1)?.number : undefined;
    const told = news.type === "position" ? news.line : (newest ?? -1);
    if (told > last.current) setTurn((before) => before + 1);
  });

  const count = lines?.length ?? 0;
  const { first, end } = useVirtualRows(box, rowHeight, count);
  useEffect(() => {
    if (isFollowing && box.current !== null) box.current.scrollTop = count * rowHeight;
  }, [isFollowing, count]);

  const onScroll = useCallback(() => {
    const element = box.current;
    if (element === null) return;
    const isAtEnd =
      element.scrollTop + element.clientHeight >= element.scrollHeight - rowHeight * 2;
    if (!isAtEnd) setFollowing(false);
  }, []);

  if (problem !== undefined && lines === undefined) {
    return <Failed problem={problem} onRetry={() => setTurn(turn + 1)} />;
  }
  if (lines === undefined) return <Waiting lines={8} />;
  if (count === 0) return <p className={classes.none}>This run has told no lines.</p>;
  return (
    <>
      <div className={classes.bar}>
        <Switch
          size="sm"
          label="Stay at the end"
          checked={isFollowing}
          onChange={(event) => setFollowing(event.currentTarget.checked)}
        />
        {problem !== undefined && (
          <Button size="compact-sm" variant="default" onClick={() => setTurn(turn + 1)}>
            {problem.message} Try again
          </Button>
        )}
      </div>
      <div
        className={classes.box}
        ref={box}
        role="log"
        aria-label="Lines of the run"
        aria-live="off"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        tabIndex={0}
        onWheel={onScroll}
        onTouchMove={onScroll}
        onKeyUp={onScroll}
      >
        <div className={classes.lines} style={{ height: count * rowHeight }}>
          {lines.slice(first, end).map(({ number, at, level, text }, offset) => (
            <div
              key={number}
              className={classes.line}
              data-level={level}
              style={{ transform: `translateY(${(first + offset) * rowHeight}px)` }}
            >
              <time>{clock(at)}</time>
              {level !== "info" && <b>{level}</b>}
              <span>{text}</span>
            </div>
          ))}
        </div>
      </div>
    </>
  );
}
