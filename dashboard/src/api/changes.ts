// Hints of the server: the names of what has changed since the page began to listen.
import { follow } from "./follow.js";

export interface Changes {
  /** Ids. */
  readonly runs?: readonly string[];
  /** Names. */
  readonly sweeps?: readonly string[];
  readonly models?: readonly string[];
  /** Versions of data are told otherwise now. */
  readonly data?: true;
  /** Other models, or other versions of them, answer now. */
  readonly served?: true;
}

/**
 * Calls back with what changes until the signal, and with `anything` as soon as it listens: what changed before that was not heard.
 * @throws Problem where the server refuses or goes away
 */
export async function followChanges(
  signal: AbortSignal,
  onChange: (changes: Changes | "anything") => void,
): Promise<void> {
  await follow("/v1/events", signal, (name, data) => {
    if (name === "watching") onChange("anything");
    if (name === "changed") onChange(data as Changes);
  });
}

/** What a page shows: all of a kind, or one by its name, as in `sweeps/rates`. */
export type Subject = keyof Changes | `${"runs" | "sweeps" | "models"}/${string}`;

/** Whether what changed is among what is shown. */
export function concerns(changes: Changes | "anything", subjects: readonly Subject[]): boolean {
  if (changes === "anything") return true;
  return subjects.some((subject) => {
    const [, kind = "", name] = /^(\w+)(?:\/(.*))?$/s.exec(subject) ?? [];
    const told = changes[kind as keyof Changes];
    if (told === undefined) return false;
    return name === undefined || (typeof told !== "boolean" && told.includes(name));
  });
}
