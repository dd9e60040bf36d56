// Keys that do something wherever the focus is: one key, or one after another such as `g r`.
import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Shortcut {
  /** As `KeyboardEvent.key` has them, one after another: `["g", "r"]`. */
  readonly keys: readonly string[];
  readonly does: string;
  readonly run: () => void;
}

export interface ShortcutGroup {
  readonly title: string;
  readonly shortcuts: readonly Shortcut[];
}

const storageKey = "bridle.singleKeys";
/** Longest pause between two keys of one shortcut. */
const pauseMs = 1200;

let groups: readonly ShortcutGroup[] = [];
let typed: string[] = [];
let forgetting: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function tell(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** People who speak to their computer, or whose hand slips, can turn single keys off (WCAG 2.1.4). */
export function areKeysOn(): boolean {
  return localStorage.getItem(storageKey) !== "off";
}

export function turnKeys(on: boolean): void {
  if (on) localStorage.removeItem(storageKey);
  else localStorage.setItem(storageKey, "off");
  tell();
}

export function useKeysOn(): boolean {
  return useSyncExternalStore(subscribe, areKeysOn);
}

export function useShortcutGroups(): readonly ShortcutGroup[] {
  return useSyncExternalStore(subscribe, () => groups);
}

/** Makes shortcuts work, and stand in the list under `?`, for as long as the component is there. */
export function useShortcuts(title: string, shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  const names = shortcuts.map(({ keys, does }) => `${keys.join(" ")}\t${does}`).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: what they do is read when they are typed
  useEffect(() => {
    const group: ShortcutGroup = {
      title,
      shortcuts: latest.current.map(({ keys, does }, index) => ({
        keys,
        does,
        run: () => latest.current[index]?.run(),
      })),
    };
    groups = [...groups, group];
    tell();
    return () => {
      groups = groups.filter((each) => each !== group);
      tell();
    };
  }, [title, names]);
}

/**
 * Which shortcut the keys typed so far are, whether they may become one, or neither.
 * @param all the later ones come first: a page's own before those of every page
 */
export function findShortcut(
  all: readonly Shortcut[],
  keys: readonly string[],
): Shortcut | "begun" | undefined {
  const fitting = all.filter((each) => keys.every((key, index) => each.keys[index] === key));
  const whole = fitting.findLast((each) => each.keys.length === keys.length);
  return whole ?? (fitting.length > 0 ? "begun" : undefined);
}

function onKeyDown(event: KeyboardEvent): void {
  const { key, ctrlKey, metaKey, altKey } = event;
  if (event.defaultPrevented || ctrlKey || metaKey || altKey || key === "Shift") return;
  if (!areKeysOn() || isTyping(event.target) || isDialogOpen()) return;
  const all = groups.flatMap(({ shortcuts }) => shortcuts);
  typed.push(key);
  let found = findShortcut(all, typed);
  if (found === undefined) {
    typed = [key];
    found = findShortcut(all, typed);
  }
  clearTimeout(forgetting);
  if (found === undefined) typed = [];
  else if (found === "begun") forgetting = setTimeout(() => (typed = []), pauseMs);
  else {
    typed = [];
    event.preventDefault();
    found.run();
  }
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  const presses = "[type=checkbox], [type=radio], [type=range], [type=button], [type=submit]";
  return target.matches("input") && !target.matches(presses);
}

function isDialogOpen(): boolean {
  return document.querySelector("[role=dialog][aria-modal=true], [role=menu]") !== null;
}

window.addEventListener("keydown", onKeyDown);
