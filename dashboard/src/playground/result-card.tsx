// One contender: its model and settings, and below them the summary it wrote, writes, or could not write.
import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { Copy, Highlighter, Square, SquareTerminal, TriangleAlert, X } from "lucide-react";
import { Fragment, type ReactNode, type Ref, useRef } from "react";
import { getKey } from "../api/key.js";
import type { Model } from "../api/types.js";
import { copyText, saveFile } from "../shell/clipboard.js";
import { counted, roughly } from "../shell/figures.js";
import notes from "../shell/notes.module.css";
import { ProblemNote } from "../shell/problem-note.js";
import { curlCommand, requestFileName } from "./curl.js";
import { DraftView } from "./draft-view.js";
import { EmptySummary } from "./empty-summary.js";
import { GenerationControl } from "./generation-control.js";
import { LengthControl } from "./length-control.js";
import { overlapOf } from "./marked-document.js";
import { ModelPicker } from "./model-picker.js";
import pane from "./pane.module.css";
import { ReadAccount } from "./read-account.js";
import classes from "./result-card.module.css";
import type { Settings } from "./settings.js";
import { letterOf } from "./use-contenders.js";
import { type SentenceLink, sentenceProps, useFollowing } from "./use-link.js";
import { type FinishedSummary, finished, type Run } from "./use-runs.js";

export interface ResultCardProps {
  readonly models: readonly Model[];
  /** The model picked; undefined while it is not known what is served. */
  readonly model: Model | undefined;
  readonly settings: Settings;
  readonly run: Run;
  /** Place among the summaries side by side. */
  readonly slot: number;
  /** There are others beside it. */
  readonly compared: boolean;
  /** Its sources are the ones that the document shows. */
  readonly inFocus: boolean;
  /** What was changed after the summary was made, if anything was. */
  readonly stale: "document" | "settings" | undefined;
  readonly link: SentenceLink;
  readonly shown: number;
  readonly headingRef: Ref<HTMLHeadingElement>;
  readonly onPick: (model: string) => void;
  readonly onSettings: (settings: Settings) => void;
  readonly onFocus: () => void;
  readonly onShowMore: () => void;
  readonly onStop: () => void;
  readonly onRemove: () => void;
}

export function ResultCard(props: ResultCardProps) {
  const { models, model, settings, run, slot, compared, inFocus, stale } = props;
  const summary = finished(run);
  const busy = run.kind === "waiting" || run.kind === "running";
  const headingId = slot === 0 ? "summary-heading" : `summary-heading-${slot + 1}`;
  return (
    <section
      className={`${pane.card} ${classes.card}`}
      aria-labelledby={headingId}
      aria-busy={busy}
      data-in-focus={(compared && inFocus) || undefined}
    >
      <header className={`${pane.head} ${classes.head}`}>
        <h2 id={headingId} className={pane.title} ref={props.headingRef} tabIndex={-1}>
          {compared ? (
            <>
              <span className={classes.hidden}>Summary </span>
              <span className={classes.letter}>{letterOf(slot)}</span>
            </>
          ) : (
            "Summary"
          )}
        </h2>
        {model !== undefined && <ModelPicker models={models} model={model} onPick={props.onPick} />}
        <div className={pane.tools}>
          {compared && summary !== undefined && <FocusButton {...props} />}
          {summary !== undefined && <CopyButtons summary={summary} />}
          {compared && busy && (
            <Tool label={`Stop ${letterOf(slot)}`} onClick={props.onStop}>
              <Square size={14} fill="currentColor" />
            </Tool>
          )}
          {compared && (
            <Tool label={`Take ${letterOf(slot)} away`} onClick={props.onRemove}>
              <X size={17} />
            </Tool>
          )}
        </div>
      </header>
      {model !== undefined && (
        <div className={classes.settings}>
          {model.kind === "extractive" ? (
            <LengthControl
              length={settings.length}
              onChange={(length) => props.onSettings({ ...settings, length })}
            />
          ) : (
            <GenerationControl
              model={model}
              generation={settings.generation}
              onChange={(generation) => props.onSettings({ ...settings, generation })}
              problem={run.kind === "failed" ? run.problem : undefined}
            />
          )}
        </div>
      )}
      <p className={classes.hidden} role="status">
        {announcement(run)}
      </p>
      {run.kind === "running" && run.draft.part === undefined && (
        <div className={classes.progress} aria-hidden />
      )}
      {run.kind === "idle" && <EmptySummary kind={model?.kind ?? "extractive"} brief={compared} />}
      {run.kind === "failed" && (
        <div className={pane.padded}>
          <ProblemNote problem={run.problem} />
        </div>
      )}
      {busy && summary === undefined && <Coming run={run} />}
      {run.kind === "stopped" && (
        <>
          <Note>Stopped. This is what had been written.</Note>
          <DraftView draft={run.draft} writing={false} />
        </>
      )}
      {summary !== undefined && (
        <div className={classes.result} data-busy={busy || undefined}>
          {stale !== undefined && !busy && (
            <Note>
              The {stale === "document" ? "document has" : "settings have"} changed since. Summarize
              again to catch up.
            </Note>
          )}
          <Words {...props} summary={summary} />
          <ReadAccount summary={summary} link={props.link} />
        </div>
      )}
    </section>
  );
}

/** What is to be seen of a summary before it is there. */
function Coming({ run }: { readonly run: Run & { kind: "waiting" | "running" } }) {
  const { draft, request } = run;
  if (run.kind === "waiting") {
    return <p className={classes.turn}>Waits for its turn, so that none slows another down.</p>;
  }
  if (draft.text !== "" || draft.part !== undefined) return <DraftView draft={draft} writing />;
  return (
    <div className={classes.waiting}>
      <p>Reading {roughly(request.document.length)} characters …</p>
      {[96, 88, 62, 92, 74].map((width) => (
        <div key={width} className={classes.line} style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}

function Words({
  summary,
  link,
  shown,
  onShowMore,
}: ResultCardProps & { readonly summary: FinishedSummary }) {
  const box = useRef<HTMLDivElement>(null);
  useFollowing(box, "summary", link);
  const { sentences } = summary;
  if (sentences === undefined) {
    return (
      <div ref={box} className={classes.body}>
        <p className={classes.whole}>
          <WrittenWords summary={summary} link={link} />
        </p>
      </div>
    );
  }
  const count = Math.min(sentences.length, shown);
  return (
    <div ref={box} className={classes.body}>
      <ol className={classes.sentences} aria-label="Sentences of the summary">
        {sentences.slice(0, count).map((sentence, index) => (
          <li key={summary.answer.sources[index]?.start}>
            <a
              {...sentenceProps(link, "summary", index, count)}
              className={classes.sentence}
              data-number={index + 1}
            >
              {sentence}
            </a>
          </li>
        ))}
      </ol>
      {count < sentences.length && (
        <div className={classes.more}>
          <Button variant="default" onClick={onShowMore}>
            Show more of the {counted(sentences.length, "sentence")}
          </Button>
        </div>
      )}
    </div>
  );
}

/** What a model wrote, its sentences leading to those of the document that share most words with them. */
function WrittenWords({
  summary,
  link,
}: {
  readonly summary: FinishedSummary;
  readonly link: SentenceLink;
}) {
  const { answer, alignment } = summary;
  const overlap = overlapOf(summary);
  if (alignment === undefined || overlap === undefined) return answer.summary;
  let at = 0;
  const words = alignment.sentences.map(({ start, end, sources }, index): ReactNode => {
    const before = answer.summary.slice(at, start);
    const sentence = answer.summary.slice(start, end);
    at = end;
    if (sources.length === 0) return before + sentence;
    // White space at its end is not underlined with it.
    const length = sentence.trimEnd().length;
    return (
      <Fragment key={start}>
        {before}
        <a
          {...sentenceProps(link, "summary", index, overlap.linked)}
          className={classes.written}
          data-number={index + 1}
        >
          {sentence.slice(0, length)}
        </a>
        {sentence.slice(length)}
      </Fragment>
    );
  });
  return (
    <>
      {words}
      {answer.summary.slice(at)}
    </>
  );
}

function FocusButton({ slot, inFocus, onFocus }: ResultCardProps) {
  return (
    <Tooltip label={`Show in the document what ${letterOf(slot)} rests on`}>
      <ActionIcon
        className={classes.focus}
        variant="subtle"
        color="gray"
        size={32}
        aria-label={`Show in the document what ${letterOf(slot)} rests on`}
        aria-pressed={inFocus}
        onClick={onFocus}
      >
        <Highlighter size={17} />
      </ActionIcon>
    </Tooltip>
  );
}

function CopyButtons({ summary }: { readonly summary: FinishedSummary }) {
  const copySummary = () => copyText(summary.answer.summary, "The summary is on the clipboard.");
  const copyCurl = () => {
    const withKey = getKey() !== undefined;
    const { command, requestFile } = curlCommand(window.location.origin, summary.request, {
      withKey,
    });
    if (requestFile !== undefined) saveFile(requestFileName, "application/json", requestFile);
    const key = withKey ? " Set BRIDLE_API_KEY to your key first." : "";
    const where = requestFile === undefined ? "" : ` Run it where ${requestFileName} was saved.`;
    return copyText(command, `The curl line is on the clipboard.${where}${key}`);
  };
  return (
    <>
      <Tool label="Copy" about="Copy the summary as text" onClick={copySummary}>
        <Copy size={17} />
      </Tool>
      <Tool
        label="Copy as curl"
        about="Copy this request as a line for the shell"
        onClick={copyCurl}
      >
        <SquareTerminal size={17} />
      </Tool>
    </>
  );
}

/** A button of the head: with its words where there is room for them, else the picture alone. */
function Tool({
  label,
  about,
  onClick,
  children,
}: {
  readonly label: string;
  readonly about?: string;
  readonly onClick: () => void;
  readonly children: ReactNode;
}) {
  return (
    <Tooltip label={about ?? label}>
      <Button
        variant="subtle"
        color="gray"
        size="compact-md"
        className={`${pane.tool} ${classes.tool}`}
        aria-label={label}
        leftSection={children}
        data-picture={about === undefined || undefined}
        onClick={onClick}
      >
        <span className={classes.toolLabel}>{label}</span>
      </Button>
    </Tooltip>
  );
}

function Note({ children }: { readonly children: ReactNode }) {
  return (
    <p className={`${notes.notice} ${classes.note}`}>
      <TriangleAlert className={notes.icon} size={16} aria-hidden />
      <span>{children}</span>
    </p>
  );
}

function announcement(run: Run): string {
  if (run.kind === "running") {
    const { part } = run.draft;
    return part === undefined ? "Summarizing" : `Summarizing, part ${part.index + 1} of ${part.of}`;
  }
  if (run.kind === "stopped") return "Stopped";
  if (run.kind !== "done") return "";
  const { usage } = run.answer;
  const unit = run.sentences === undefined ? "tokens" : "words";
  const length =
    run.sentences === undefined ? "" : `${counted(run.sentences.length, "sentence")}, `;
  return `Summary ready: ${length}${usage.outputTokens} of ${usage.inputTokens} ${unit}.`;
}
