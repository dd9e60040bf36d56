// The right half: the summary sentence by sentence, or why there is none.
import { Button, Tooltip } from "@mantine/core";
import { Copy, SquareTerminal, TriangleAlert } from "lucide-react";
import { type Ref, useRef } from "react";
import { getKey } from "../api/key.js";
import { copyText, saveFile } from "../shell/clipboard.js";
import { curlCommand, requestFileName } from "./curl.js";
import { EmptySummary } from "./empty-summary.js";
import { counted, roughly } from "./figures.js";
import notes from "./notes.module.css";
import pane from "./pane.module.css";
import { ProblemNote } from "./problem-note.js";
import { ReadAccount } from "./read-account.js";
import classes from "./summary-pane.module.css";
import { type SentenceLink, sentenceProps, useFollowing } from "./use-link.js";
import { type FinishedSummary, finished, type SummaryState } from "./use-summary.js";

export function SummaryPane({
  state,
  stale,
  link,
  shown,
  onShowMore,
  headingRef,
}: {
  readonly state: SummaryState;
  /** The document was changed after this summary was made. */
  readonly stale: boolean;
  readonly link: SentenceLink;
  readonly shown: number;
  readonly onShowMore: () => void;
  readonly headingRef: Ref<HTMLHeadingElement>;
}) {
  const summary = finished(state);
  const busy = state.kind === "running";
  return (
    <section className={pane.card} aria-labelledby="summary-heading" aria-busy={busy}>
      <header className={pane.head}>
        <h2 id="summary-heading" className={pane.title} ref={headingRef} tabIndex={-1}>
          Summary
        </h2>
        {summary !== undefined && <CopyButtons summary={summary} />}
      </header>
      <p className={classes.announcement} role="status">
        {announcement(state)}
      </p>
      {busy && <div className={classes.progress} aria-hidden />}
      {busy && summary === undefined && <Waiting characters={state.request.document.length} />}
      {state.kind === "idle" && <EmptySummary />}
      {state.kind === "failed" && (
        <div className={pane.padded}>
          <ProblemNote problem={state.problem} />
        </div>
      )}
      {summary !== undefined && (
        <div className={classes.result} data-busy={busy || undefined}>
          {stale && (
            <p className={`${notes.notice} ${classes.stale}`}>
              <TriangleAlert className={notes.icon} size={16} aria-hidden />
              <span>The document has changed since. Summarize again to catch up.</span>
            </p>
          )}
          <Sentences summary={summary} link={link} shown={shown} onShowMore={onShowMore} />
          <ReadAccount summary={summary} link={link} />
        </div>
      )}
    </section>
  );
}

function Sentences({
  summary,
  link,
  shown,
  onShowMore,
}: {
  readonly summary: FinishedSummary;
  readonly link: SentenceLink;
  readonly shown: number;
  readonly onShowMore: () => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  useFollowing(box, "summary", link.pointed);
  const { sentences } = summary;
  if (sentences === undefined) {
    return (
      <div ref={box} className={classes.body}>
        <p className={classes.whole}>{summary.answer.summary}</p>
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
    <div className={pane.tools}>
      <Tooltip label="Copy the summary as text">
        <Button
          variant="subtle"
          color="gray"
          size="compact-md"
          className={pane.tool}
          leftSection={<Copy size={17} />}
          onClick={copySummary}
        >
          Copy
        </Button>
      </Tooltip>
      <Tooltip label="Copy this request as a line for the shell">
        <Button
          variant="subtle"
          color="gray"
          size="compact-md"
          className={pane.tool}
          leftSection={<SquareTerminal size={17} />}
          onClick={copyCurl}
        >
          Copy as curl
        </Button>
      </Tooltip>
    </div>
  );
}

function Waiting({ characters }: { readonly characters: number }) {
  return (
    <div className={classes.waiting}>
      <p>Reading {roughly(characters)} characters …</p>
      {[96, 88, 62, 92, 74].map((width) => (
        <div key={width} className={classes.line} style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}

function announcement(state: SummaryState): string {
  if (state.kind === "running") return "Summarizing";
  if (state.kind !== "done") return "";
  const { usage } = state.answer;
  const unit = state.sentences === undefined ? "tokens" : "words";
  const length =
    state.sentences === undefined ? "" : `${counted(state.sentences.length, "sentence")}, `;
  return `Summary ready: ${length}${usage.outputTokens} of ${usage.inputTokens} ${unit}.`;
}
