// Events of work that had to be begun again: what was told before is not told twice.
import { BridleError } from "../../errors/error.js";
import type { SummaryEvent } from "../../summarize/summarizer.js";

type Listener = (event: SummaryEvent) => void;

/** What was told: marks of parts, and the text between them. */
type Told = { readonly mark: string } | { text: string };

/**
 * Passes events on. After `again`, those that repeat what was passed on are swallowed: the same work tells the same.
 * @throws WORKER_LOST from the listener where it tells something else, since what was told cannot be taken back
 */
export function createReplay(listener: Listener): { readonly onEvent: Listener; again(): void } {
  const told: Told[] = [];
  /** Where in what was told the repetition stands: an entry, and in its text. */
  let [entry, offset] = [0, 0];

  function remember(event: SummaryEvent): void {
    if (event.type !== "token") told.push({ mark: JSON.stringify(event) });
    else {
      const last = told.at(-1);
      if (last !== undefined && "text" in last) last.text += event.text;
      else told.push({ text: event.text });
    }
    entry = told.length - 1;
    const last = told[entry];
    offset = last !== undefined && "text" in last ? last.text.length : 0;
    if (last !== undefined && "mark" in last) entry += 1;
  }

  function diverged(): BridleError {
    return new BridleError("WORKER_LOST", {
      reason: "part of the summary had been told, and begun again it came out otherwise",
    });
  }

  /** The part of a text that was not told; undefined where all of it was. @throws WORKER_LOST */
  function newPart(text: string): string | undefined {
    const before = told[entry];
    if (before === undefined || "mark" in before) throw diverged();
    const rest = before.text.slice(offset);
    if (rest.startsWith(text)) {
      offset += text.length;
      return undefined;
    }
    const isLast = entry === told.length - 1;
    if (!isLast || !text.startsWith(rest)) throw diverged();
    return text.slice(rest.length);
  }

  /** Steps over an entry whose text has been repeated to its end. */
  function settle(): void {
    const here = told[entry];
    if (here !== undefined && "text" in here && offset === here.text.length) {
      if (entry < told.length - 1) [entry, offset] = [entry + 1, 0];
    }
  }

  const isCaughtUp = (): boolean => {
    const here = told[entry];
    if (here === undefined) return true;
    return entry === told.length - 1 && "text" in here && offset === here.text.length;
  };

  return {
    onEvent(event) {
      if (isCaughtUp()) {
        remember(event);
        listener(event);
        return;
      }
      if (event.type === "token") {
        const text = newPart(event.text);
        if (text === undefined) {
          settle();
          return;
        }
        const rest = { ...event, text };
        remember(rest);
        listener(rest);
        return;
      }
      const before = told[entry];
      if (before === undefined || !("mark" in before) || before.mark !== JSON.stringify(event))
        throw diverged();
      [entry, offset] = [entry + 1, 0];
    },
    again() {
      [entry, offset] = [0, 0];
    },
  };
}
