// The API key of this browser tab: kept in sessionStorage only, gone when the tab is closed.
const storageKey = "bridle.apiKey";

const listeners = new Set<() => void>();

export function getKey(): string | undefined {
  return sessionStorage.getItem(storageKey) ?? undefined;
}

export function setKey(key: string | undefined): void {
  if (key === undefined) sessionStorage.removeItem(storageKey);
  else sessionStorage.setItem(storageKey, key);
  for (const listener of listeners) listener();
}

/** Calls back whenever the key changes; returns how to stop. */
export function subscribeToKey(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
