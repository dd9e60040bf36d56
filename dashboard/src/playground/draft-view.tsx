// A summary while it is written: which part is read, and the words as they come.
import { useEffect, useRef } from "react";
import type { PartEvent } from "../api/types.js";
import classes from "./draft-view.module.css";
import type { Draft } from "./use-runs.js";

/** More parts than this are told as a share. */
const mostSegments = 24;

export function DraftView({
  draft,
  writing,
}: {
  readonly draft: Draft;
  readonly writing: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  // New words stay in sight, unless the person has scrolled up to read earlier ones.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new word is the trigger
  useEffect(() => {
    const pane = box.current;
    if (pane === null || !writing) return;
    const gap = pane.scrollHeight - pane.scrollTop - pane.clientHeight;
    if (gap < 80) pane.scrollTop = pane.scrollHeight;
  }, [draft.text, writing]);
  return (
    <>
      {draft.part !== undefined && <Parts part={draft.part} />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must be reachable to be scrolled by keys */}
      <section ref={box} className={classes.body} tabIndex={0} aria-label="What has been written">
        <p className={classes.text}>
          {draft.text}
          {writing && <span className={classes.caret} aria-hidden />}
        </p>
      </section>
    </>
  );
}

function Parts({ part: { index, of, round } }: { readonly part: PartEvent }) {
  const segments = Array.from({ length: of }, (_, place) => place);
  return (
    <div className={classes.parts}>
      <p className={classes.partName}>
        {round === 0 ? "Part" : "Merging summaries, part"} {index + 1} of {of}
      </p>
      <div className={classes.segments} aria-hidden>
        {of > mostSegments ? (
          <span className={classes.share}>
            <span style={{ width: `${((index + 1) / of) * 100}%` }} />
          </span>
        ) : (
          segments.map((place) => (
            <span
              key={place}
              className={classes.segment}
              data-state={place < index ? "done" : place === index ? "now" : undefined}
            />
          ))
        )}
      </div>
    </div>
  );
}
