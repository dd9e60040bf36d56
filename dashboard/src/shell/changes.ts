// What has changed on the server: one stream for all that the page shows, open while the page is seen.
import { type Changes, followChanges } from "../api/changes.js";
import { keepOpen } from "./keep-open.js";

type Listener = (changes: Changes | "anything") => void;

const listeners = new Set<Listener>();
let stop: () => void = () => {};
let isOpen = false;

/** Whether changes are heard now. */
export function isListening(): boolean {
  return isOpen;
}

/**
 * Calls back with what changes, and with `anything` whenever the stream was opened, first or again.
 * @returns how to stop
 */
export function subscribeToChanges(listener: Listener): () => void {
  listeners.add(listener);
  if (listeners.size === 1) stop = keepOpen(listen);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) stop();
  };
}

async function listen(signal: AbortSignal, heard: () => void): Promise<void> {
  try {
    await followChanges(signal, (changes) => {
      heard();
      isOpen = true;
      for (const listener of [...listeners]) listener(changes);
    });
  } finally {
    isOpen = false;
  }
}
