// How much of the document was read, where the summary comes from in it, and what it cost.
import { TriangleAlert } from "lucide-react";
import { shortName } from "../api/model-name.js";
import { count, counted, duration, percent, wordsIn } from "../shell/figures.js";
import notes from "../shell/notes.module.css";
import classes from "./read-account.module.css";
import { describe } from "./settings.js";
import type { SentenceLink } from "./use-link.js";
import type { FinishedSummary } from "./use-runs.js";

/** Sources beyond this number are finer than the bar can show. */
const mostTicks = 400;

export function ReadAccount({
  summary,
  link,
}: {
  readonly summary: FinishedSummary;
  readonly link: SentenceLink;
}) {
  const { answer, request, sentences } = summary;
  const { usage, sources, timingsMs, truncated, finishReason } = answer;
  const extractive = sentences !== undefined;
  const unit = extractive ? "word" : "token";
  const share = usage.inputTokens === 0 ? 1 : usage.usedTokens / usage.inputTokens;
  const length = Math.max(1, request.document.length);
  const ticks = sources.length > 1 || extractive ? sources.slice(0, mostTicks) : [];
  const workMs = timingsMs.generate ?? timingsMs.total;
  const asked = describe(request.parameters);
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
          ticks.length === 0
            ? ""
            : `; the marks show where in it the ${extractive ? "sentences" : "parts"} stand`
        }`}
      >
        <div className={classes.read} style={{ width: `${Math.min(100, share * 100)}%` }} />
        {ticks.map(({ start, end }, index) => (
          <span
            key={start}
            className={extractive ? classes.tick : classes.border}
            data-on={(extractive && link.pointed?.index === index) || undefined}
            style={{
              left: `${(start / length) * 100}%`,
              width: extractive ? `${((end - start) / length) * 100}%` : undefined,
            }}
          />
        ))}
      </div>
      <dl className={classes.facts}>
        <Fact
          name="Summary"
          value={counted(extractive ? usage.outputTokens : wordsIn(answer.summary), "word")}
        />
        <Fact
          name="Length kept"
          value={percent(usage.inputTokens === 0 ? 1 : usage.outputTokens / usage.inputTokens)}
        />
        <Fact name="Time" value={duration(workMs)} />
        {!extractive && <Fact name="Tokens" value={count(usage.outputTokens)} />}
        {usage.chunks > 1 && <Fact name="Read in" value={counted(usage.chunks, "part")} />}
      </dl>
      <dl className={classes.origin}>
        <Fact name="Asked for" value={asked ?? "what the model does by itself"} />
        <Fact name="Model" value={`${shortName(answer.model)} ${answer.version}`} />
      </dl>
      {truncated && (
        <Notice>
          The document was cut off, as asked for: what lies behind its beginning was not read.
        </Notice>
      )}
      {finishReason === "length" && (
        <Notice>
          {request.parameters?.maxWords === undefined
            ? "The limit on tokens ended the summary."
            : `The limit of ${counted(request.parameters.maxWords, "word")} ended the summary.`}
        </Notice>
      )}
    </section>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
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
