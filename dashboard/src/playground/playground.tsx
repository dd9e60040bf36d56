// The playground: a document on the left, what carries it on the right.
import { Button, Kbd, NativeSelect } from "@mantine/core";
import { useHotkeys, useOs } from "@mantine/hooks";
import { ArrowRight, Square } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useServer } from "../shell/use-server.js";
import { DocumentPane, type View } from "./document-pane.js";
import { DropTarget } from "./drop-target.js";
import { LengthControl, toParameters, usualLength } from "./length-control.js";
import classes from "./playground.module.css";
import { SourceView } from "./source-view.js";
import { SummaryPane } from "./summary-pane.js";
import { useDocument } from "./use-document.js";
import { useLink } from "./use-link.js";
import { finished, useSummary } from "./use-summary.js";

/** Sentences drawn at first, and more at each wish: tens of thousands at once would freeze the page. */
const sentencesAtOnce = 200;

export function Playground() {
  const control = useDocument();
  const { state, run, cancel, reset } = useSummary();
  const [length, setLength] = useState(usualLength);
  const { models } = useServer();
  const [chosen, setChosen] = useState<string>();
  const model = models.find(({ name }) => name === chosen) ?? models[0];
  const [view, setView] = useState<View>("edit");
  const [shown, setShown] = useState(sentencesAtOnce);
  const link = useLink();
  const field = useRef<HTMLTextAreaElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const summary = finished(state);
  const { text, origin } = control.document;
  const running = state.kind === "running";
  const opening = control.opening !== undefined;

  // Another document has nothing to do with the last one's summary; an edited one has.
  // biome-ignore lint/correctness/useExhaustiveDependencies: origin is the trigger
  useEffect(() => {
    reset();
    setView("edit");
  }, [origin, reset]);

  useEffect(() => {
    if (state.kind !== "done") return;
    setView("sources");
    setShown(sentencesAtOnce);
    // The text field gives way to the marked document: who stood in it goes on at the summary.
    const lost = [field.current, document.body].includes(document.activeElement as HTMLElement);
    if (lost) heading.current?.focus({ preventScroll: true });
    // On a phone the summary stands below the fold.
    const top = heading.current?.getBoundingClientRect().top ?? 0;
    if (top > window.innerHeight * 0.7) heading.current?.scrollIntoView({ block: "start" });
  }, [state]);

  const start = useCallback(() => {
    if (running || opening) return;
    const named = chosen === undefined ? {} : { model: chosen };
    void run({ document: text, ...named, parameters: toParameters(length) });
  }, [running, opening, run, text, chosen, length]);

  useHotkeys(
    [
      ["mod+Enter", start],
      ["Escape", () => running && cancel()],
    ],
    [],
  );

  return (
    <div className={classes.page}>
      <DropTarget onFiles={control.open} />
      <h1 className={classes.heading}>Playground</h1>
      <div className={classes.panes}>
        <DocumentPane
          control={control}
          view={view}
          onView={setView}
          hasSources={summary !== undefined}
          fieldRef={field}
          sourceView={
            summary !== undefined && <SourceView summary={summary} link={link} shown={shown} />
          }
        >
          <LengthControl length={length} taken={model?.parameters} onChange={setLength} />
          {models.length > 1 && (
            <NativeSelect
              className={classes.model}
              aria-label="Model"
              value={model?.name}
              onChange={(event) => setChosen(event.currentTarget.value)}
              data={models.map(({ name }) => name)}
            />
          )}
          <RunButton running={running} waiting={opening} onRun={start} onCancel={cancel} />
        </DocumentPane>
        <SummaryPane
          state={state}
          stale={summary !== undefined && summary.request.document !== text}
          link={link}
          shown={shown}
          onShowMore={() => setShown(shown + sentencesAtOnce)}
          headingRef={heading}
        />
      </div>
    </div>
  );
}

function RunButton({
  running,
  waiting,
  onRun,
  onCancel,
}: {
  readonly running: boolean;
  /** A file is being read: there is no document yet. */
  readonly waiting: boolean;
  readonly onRun: () => void;
  readonly onCancel: () => void;
}) {
  const os = useOs();
  const keys = os === "macos" || os === "ios" ? "⌘ ↵" : "Ctrl ↵";
  // One button in two states keeps keyboard focus where it is.
  return (
    <Button
      className={classes.run}
      variant={running ? "default" : "filled"}
      onClick={running ? onCancel : onRun}
      // Not `disabled`, which would throw away keyboard focus.
      data-disabled={waiting || undefined}
      aria-disabled={waiting}
      aria-keyshortcuts={running ? "Escape" : "Control+Enter Meta+Enter"}
      leftSection={running ? <Square size={14} fill="currentColor" /> : undefined}
      rightSection={
        running ? (
          <Kbd className={classes.keys}>Esc</Kbd>
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
      {running ? "Cancel" : "Summarize"}
    </Button>
  );
}
