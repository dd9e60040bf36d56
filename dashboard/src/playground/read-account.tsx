// How much of the document was read, where the summary comes from in it, and what it cost.
import { TriangleAlert } from "lucide-react";
import { count, counted, duration, percent } from "./figures.js";
import notes from "./notes.module.css";
import classes from "./read-account.module.css";
import type { SentenceLink } from "./use-link.js";
import type { FinishedSummary } from "./use-summary.js";

/** Sources beyond this number are finer than the bar can show. */
const mostTicks = 400;

export function ReadAccount({
  summary,
  link,
}: {
  readonly summary: FinishedSummary;
  readonly link: SentenceLink;
}) {
  const { usage, sources, timingsMs, truncated, finishReason } = summary.answer;
  const extractive = summary.sentences !== undefined;
  const unit = extractive ? "word" : "token";
  const share = usage.inputTokens === 0 ? 1 : usage.usedTokens / usage.inputTokens;
  const length = Math.max(1, summary.request.document.length);
  const ticks = extractive ? sources.slice(0, mostTicks) : [];
  const { parameters } = summary.request;
  return (
    <section className={classes.account} aria-label="How much was read">
      <div className={classes.head}>
        <span className={classes.title}>
          Read {count(usage.usedTokens)} of {counted(usage.inputTokens, unit)}
        </span>
        <span className={classes.share}>{percent(share)}</span>
      </div>
      <div
        className={classes.bar}
        role="img"
        aria-label={`${percent(share)} of the document was read${
          ticks.length > 0 ? "; the marks show where in it the sentences stand" : ""
        }`}
      >
        <div className={classes.read} style={{ width: `${Math.min(100, share * 100)}%` }} />
        {ticks.map(({ start, end }, index) => (
          <span
            key={start}
            className={classes.tick}
            data-on={link.pointed?.index === index || undefined}
            style={{
              left: `${(start / length) * 100}%`,
              width: `${((end - start) / length) * 100}%`,
            }}
          />
        ))}
      </div>
      <dl className={classes.facts}>
        <div>
          <dt>Summary</dt>
          <dd>{counted(usage.outputTokens, unit)}</dd>
        </div>
        <div>
          <dt>Length kept</dt>
          <dd>{percent(usage.inputTokens === 0 ? 1 : usage.outputTokens / usage.inputTokens)}</dd>
        </div>
        {usage.chunks > 1 && (
          <div>
            <dt>Read in</dt>
            <dd>{counted(usage.chunks, "part")}</dd>
          </div>
        )}
        <div>
          <dt>Time</dt>
          <dd>{duration(timingsMs.total)}</dd>
        </div>
        <div>
          <dt>Model</dt>
          <dd>
            {summary.answer.model} {summary.answer.version}
          </dd>
        </div>
      </dl>
      {truncated && (
        <Notice>The document was cut off before its end: what lies behind was not read.</Notice>
      )}
      {finishReason === "length" && (
        <Notice>
          {"maxWords" in parameters
            ? `The limit of ${counted(parameters.maxWords, "word")} ended the summary.`
            : "The model's length limit ended the summary."}
        </Notice>
      )}
    </section>
  );
}

function Notice({ children }: { readonly children: React.ReactNode }) {
  return (
    <p className={`${notes.notice} ${classes.notice}`}>
      <TriangleAlert className={notes.icon} size={16} aria-hidden />
      <span>{children}</span>
    </p>
  );
}
