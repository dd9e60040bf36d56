// Who writes a summary, and with what settings: one at first, more to be compared side by side.
import { useCallback, useState } from "react";
import type { Model } from "../api/types.js";
import { defaultOf, type Settings, usualSettings } from "./settings.js";

export interface Contender {
  readonly id: number;
  /** Name of the model; undefined for the server's default. */
  readonly model: string | undefined;
  readonly settings: Settings;
}

/** More than these no screen shows side by side. */
export const mostContenders = 4;

export interface ContenderControl {
  readonly contenders: readonly [Contender, ...Contender[]];
  /** The one whose sources the document shows. */
  readonly inFocus: Contender;
  readonly change: (id: number, change: Partial<Omit<Contender, "id">>) => void;
  readonly add: (models: readonly Model[]) => void;
  readonly remove: (id: number) => void;
  readonly focus: (id: number) => void;
}

export function useContenders(): ContenderControl {
  const [contenders, setContenders] = useState<readonly [Contender, ...Contender[]]>([
    { id: 0, model: undefined, settings: usualSettings },
  ]);
  const [focused, focus] = useState(0);

  const change = useCallback<ContenderControl["change"]>(
    (id, changed) =>
      setContenders(([first, ...others]) => {
        const apply = (each: Contender) => (each.id === id ? { ...each, ...changed } : each);
        return [apply(first), ...others.map(apply)];
      }),
    [],
  );
  const add = useCallback<ContenderControl["add"]>(
    (models) => setContenders((before) => [...before, another(before, models)]),
    [],
  );
  const remove = useCallback<ContenderControl["remove"]>(
    (id) =>
      setContenders((before) => {
        const [first, ...others] = before.filter((each) => each.id !== id);
        return first === undefined ? before : [first, ...others];
      }),
    [],
  );
  const inFocus = contenders.find(({ id }) => id === focused) ?? contenders[0];
  return { contenders, inFocus, change, add, remove, focus };
}

/** A model that is not there yet, else the last one with other settings: there is always something to compare. */
function another(before: readonly Contender[], models: readonly Model[]): Contender {
  const last = before.at(-1);
  const id = 1 + Math.max(...before.map((each) => each.id));
  const settings = last?.settings ?? usualSettings;
  const nameOf = (of: Contender | undefined) => of?.model ?? models[0]?.name;
  const unused = models.find(({ name }) => !before.some((each) => nameOf(each) === name));
  if (unused !== undefined) return { id, model: unused.name, settings };
  const { length, generation } = settings;
  const model = models.find(({ name }) => name === nameOf(last));
  const searches = (generation.numBeams ?? (model && defaultOf(model, "numBeams")) ?? 1) > 1;
  return {
    id,
    model: last?.model,
    settings: {
      length: { ...length, unit: "sentences", sentences: length.sentences + 2 },
      generation: { ...generation, numBeams: searches ? 1 : 4 },
    },
  };
}

/** "A" for the first, "B" for the second. */
export function letterOf(slot: number): string {
  return String.fromCharCode(65 + slot);
}
