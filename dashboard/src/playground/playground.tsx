// The playground: a document on the left, what carries it on the right, by one model or by several side by side.
import { Button, Kbd } from "@mantine/core";
import { useHotkeys, useOs } from "@mantine/hooks";
import { ArrowRight, Columns2, Square } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Model, SummaryRequest } from "../api/types.js";
import { takeArrival } from "../shell/router.js";
import { useServer } from "../shell/use-server.js";
import { DocumentPane, type View } from "./document-pane.js";
import { DropTarget } from "./drop-target.js";
import { markedBy } from "./marked-document.js";
import classes from "./playground.module.css";
import { ResultCard } from "./result-card.js";
import { parametersOf } from "./settings.js";
import { SourceView } from "./source-view.js";
import { type Contender, letterOf, mostContenders, useContenders } from "./use-contenders.js";
import { useDocument } from "./use-document.js";
import { unfocusedLink, useLink } from "./use-link.js";
import { finished, type Run, useRuns } from "./use-runs.js";

/** Sentences drawn at first, and more at each wish: tens of thousands at once would freeze the page. */
const sentencesAtOnce = 200;

export default function Playground() {
  const control = useDocument();
  const { models } = useServer();
  const { contenders, inFocus, change, add, remove, focus } = useContenders();
  const { runOf, busy, start, stop, reset } = useRuns();
  const [view, setView] = useState<View>("edit");
  const [shown, setShown] = useState(sentencesAtOnce);
  const link = useLink(contenders.indexOf(inFocus));
  const field = useRef<HTMLTextAreaElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const { text, origin } = control.document;
  const opening = control.opening !== undefined;
  const compared = contenders.length > 1;
  const marked = markedBy(runOf(inFocus.id));
  const modelOf = useCallback(
    ({ model }: Contender): Model | undefined =>
      models.find(({ name }) => name === model) ?? models[0],
    [models],
  );

  // Another document has nothing to do with the last one's summaries; an edited one has, and so has one that was only
  // out of sight.
  const shownOrigin = useRef(origin);
  useEffect(() => {
    if (shownOrigin.current === origin) return;
    shownOrigin.current = origin;
    reset();
    setView("edit");
  }, [origin, reset]);

  useEffect(() => {
    document.title = "Playground · Bridle";
    if (takeArrival()) title.current?.focus({ preventScroll: true });
  }, []);

  // What there is to be seen of the document beside its text comes into sight as it comes to be; not when another
  // summary, whose own has long been there, is merely pointed at.
  const seen = useRef<ReadonlyMap<number, unknown>>(new Map());
  useEffect(() => {
    const before = seen.current.get(inFocus.id);
    seen.current = new Map(contenders.map(({ id }) => [id, phaseOf(runOf(id))]));
    const phase = seen.current.get(inFocus.id);
    if (phase === undefined || phase === before) return;
    setView("sources");
    // The text field gives way to the marked document: who stood in it goes on at the summary.
    const lost = [field.current, document.body].includes(document.activeElement as HTMLElement);
    if (lost) heading.current?.focus({ preventScroll: true });
    // On a phone the summary stands below the fold.
    const top = heading.current?.getBoundingClientRect().top ?? 0;
    if (top > window.innerHeight * 0.7) heading.current?.scrollIntoView({ block: "start" });
  });

  const requestOf = useCallback(
    (contender: Contender): SummaryRequest => {
      const model = modelOf(contender);
      const parameters = parametersOf(model, contender.settings);
      return {
        document: text,
        ...(model !== undefined && { model: model.name }),
        ...(parameters !== undefined && Object.keys(parameters).length > 0 && { parameters }),
      };
    },
    [modelOf, text],
  );

  const startAll = useCallback(() => {
    if (busy || opening) return;
    setShown(sentencesAtOnce);
    const jobs = contenders.map((contender) => ({
      id: contender.id,
      request: requestOf(contender),
      streams: modelOf(contender)?.kind === "neural",
    }));
    // What takes milliseconds does not wait for what takes seconds.
    void start([...jobs.filter((job) => !job.streams), ...jobs.filter((job) => job.streams)]);
  }, [busy, opening, start, contenders, requestOf, modelOf]);

  useHotkeys(
    [
      ["mod+Enter", startAll],
      ["Escape", () => busy && stop()],
    ],
    [],
  );

  return (
    <div className={classes.page} data-compared={comparedAs(contenders.length)}>
      <DropTarget onFiles={control.open} />
      <h1 className={classes.heading} ref={title} tabIndex={-1}>
        Playground
      </h1>
      <div className={classes.panes}>
        <DocumentPane
          control={control}
          view={view}
          onView={setView}
          fieldRef={field}
          sourcesOf={compared ? `${letterOf(contenders.indexOf(inFocus))}'s sources` : undefined}
          sourceView={
            marked === undefined ? undefined : (
              <SourceView marked={marked} link={link} shown={shown} />
            )
          }
        >
          {models.length > 0 && contenders.length < mostContenders && (
            <Button
              className={classes.compare}
              variant="default"
              leftSection={<Columns2 size={16} />}
              onClick={() => add(models)}
            >
              {compared ? "Add another" : "Compare"}
            </Button>
          )}
          <RunButton running={busy} waiting={opening} onRun={startAll} onStop={() => stop()} />
        </DocumentPane>
        <div className={classes.results}>
          {contenders.map((contender, slot) => {
            const { id, settings } = contender;
            const run = runOf(id);
            const bring = () => focus(id);
            return (
              <ResultCard
                key={id}
                models={models}
                model={modelOf(contender)}
                settings={settings}
                run={run}
                slot={slot}
                compared={compared}
                inFocus={contender === inFocus}
                stale={staleness(run, requestOf(contender))}
                link={contender === inFocus ? link : unfocusedLink(link, slot, bring)}
                shown={shown}
                headingRef={contender === inFocus ? heading : null}
                onPick={(model) => change(id, { model })}
                onSettings={(next) => change(id, { settings: next })}
                onFocus={bring}
                onShowMore={() => setShown(shown + sentencesAtOnce)}
                onStop={() => stop(id)}
                onRemove={() => {
                  reset(id);
                  remove(id);
                }}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function comparedAs(count: number): "two" | "many" | undefined {
  if (count === 1) return undefined;
  return count === 2 ? "two" : "many";
}

/** Changes when there is something new to be seen of what was read: its first part, or the finished summary. */
function phaseOf(run: Run): object | string | undefined {
  if (run.kind === "done") return run.answer;
  return run.kind === "running" && run.draft.sources.length > 0 ? "reading" : undefined;
}

/** What of a request was changed after its summary was made. */
function staleness(run: Run, now: SummaryRequest): "document" | "settings" | undefined {
  const then = finished(run)?.request;
  if (then === undefined) return undefined;
  if (then.document !== now.document) return "document";
  const asked = ({ model, parameters }: SummaryRequest) => JSON.stringify([model, parameters]);
  return asked(then) === asked(now) ? undefined : "settings";
}

function RunButton({
  running,
  waiting,
  onRun,
  onStop,
}: {
  readonly running: boolean;
  /** A file is being read: there is no document yet. */
  readonly waiting: boolean;
  readonly onRun: () => void;
  readonly onStop: () => void;
}) {
  const os = useOs();
  const keys = os === "macos" || os === "ios" ? "⌘ ↵" : "Ctrl ↵";
  // One button in two states keeps keyboard focus where it is.
  return (
    <Button
      className={classes.run}
      variant={running ? "default" : "filled"}
      onClick={running ? onStop : onRun}
      // Not `disabled`, which would throw away keyboard focus.
      {...(waiting && { "data-disabled": true })}
      aria-disabled={waiting}
      aria-keyshortcuts={running ? "Escape" : "Control+Enter Meta+Enter"}
      leftSection={running ? <Square size={14} fill="currentColor" /> : undefined}
      rightSection={
        running ? (
          <Kbd className={classes.keys} aria-hidden>
            Esc
          </Kbd>
        ) : (
          <>
            <Kbd className={classes.keys} aria-hidden>
              {keys}
            </Kbd>
            <ArrowRight className={classes.arrow} size={17} aria-hidden />
          </>
        )
      }
    >
      {running ? "Stop" : "Summarize"}
    </Button>
  );
}
