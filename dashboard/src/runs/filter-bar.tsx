// Finds runs: conditions typed one after another, each of them to be taken away again.
import { Search, X } from "lucide-react";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { useShortcuts } from "../shell/shortcuts.js";
import { suggestions, toFilter } from "./conditions.js";
import classes from "./filter-bar.module.css";

export interface FilterBarProps {
  readonly filters: readonly string[];
  readonly onFilters: (filters: readonly string[]) => void;
  /** Names that conditions may begin with. */
  readonly fields: readonly string[];
  readonly valuesOf: (field: string) => readonly string[];
}

export function FilterBar({ filters, onFilters, fields, valuesOf }: FilterBarProps) {
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();
  const [typed, setTyped] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const offered = isOpen ? suggestions(typed, fields, valuesOf) : [];
  useShortcuts("Runs", [{ keys: ["/"], does: "Find runs", run: () => input.current?.focus() }]);

  const add = (text: string) => {
    const filter = toFilter(text);
    setTyped("");
    setActive(-1);
    setOpen(false);
    if (filter !== undefined && !filters.includes(filter)) onFilters([...filters, filter]);
  };

  /** A field goes on; a whole condition is done. */
  const take = (text: string) => {
    setActive(-1);
    if (text.endsWith(" ")) setTyped(text);
    else add(text);
    input.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const chosen = offered[active];
    if (event.key === "ArrowDown" && offered.length > 0) setActive((active + 1) % offered.length);
    else if (event.key === "ArrowUp" && offered.length > 0)
      setActive((active <= 0 ? offered.length : active) - 1);
    else if (event.key === "Enter") chosen === undefined ? add(typed) : take(chosen);
    else if (event.key === "Escape" && isOpen) setOpen(false);
    else if (event.key === "Backspace" && typed === "") onFilters(filters.slice(0, -1));
    else return;
    if (event.key !== "Backspace") event.preventDefault();
  };

  return (
    <div className={classes.bar}>
      <div className={classes.box}>
        <Search size={16} aria-hidden />
        {filters.map((filter) => (
          <span key={filter} className={classes.chip}>
            <span>{filter}</span>
            <button
              type="button"
              aria-label={`Without ${filter}`}
              onClick={() => {
                onFilters(filters.filter((each) => each !== filter));
                input.current?.focus();
              }}
            >
              <X size={13} aria-hidden />
            </button>
          </span>
        ))}
        <input
          ref={input}
          role="combobox"
          aria-label="Find runs by name or condition"
          aria-expanded={offered.length > 0}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={active < 0 ? undefined : `${listId}-${active}`}
          autoComplete="off"
          spellCheck={false}
          placeholder={filters.length === 0 ? "Name, or metrics.eval/loss < 2" : "and …"}
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            setOpen(true);
            setActive(-1);
          }}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
      </div>
      <div
        id={listId}
        role="listbox"
        aria-label="What conditions may begin with"
        className={classes.list}
        hidden={offered.length === 0}
      >
        {offered.map((text, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are the field's, which keeps the focus
          // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus and names the active one
          <div
            key={text}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === active}
            className={classes.option}
            // The field would lose the focus, and the list with it, before the click came.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(text)}
          >
            {text}
          </div>
        ))}
      </div>
    </div>
  );
}
