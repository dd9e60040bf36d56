// Asks before an alias is moved: what will answer from then on, why, and, where gates are in the way, what they say.
import { Button, Modal } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type FormEvent, useId, useState } from "react";
import { asProblem } from "../api/http.js";
import type { Problem } from "../api/problem.js";
import { type AliasState, type Move, promote, rollback } from "../api/registry.js";
import { ProblemNote } from "../shell/problem-note.js";
import classes from "./move-dialog.module.css";
import { production, versionAt, type WayBack } from "./moves.js";

export interface PlannedMove {
  readonly model: string;
  /** Where aliases were when the person chose this. */
  readonly aliases: readonly AliasState[];
  /** Aliases whose promotions gates decide on. */
  readonly guarded: readonly string[];
  readonly to: { readonly version: number } | { readonly back: readonly WayBack[] };
}

interface MoveDialogProps {
  readonly plan: PlannedMove | undefined;
  readonly onClose: () => void;
  /** The alias was moved, or turned out to be elsewhere. */
  readonly onMoved: () => void;
}

export function MoveDialog({ plan, onClose, onMoved }: MoveDialogProps) {
  return (
    <Modal.Root opened={plan !== undefined} onClose={onClose} centered size={520}>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body className={classes.body}>
          {plan !== undefined && <Form plan={plan} onClose={onClose} onMoved={onMoved} />}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Form({ plan, onClose, onMoved }: MoveDialogProps & { readonly plan: PlannedMove }) {
  const { model, aliases, guarded, to } = plan;
  const isBack = "back" in to;
  const [alias, setAlias] = useState(isBack ? (to.back[0]?.alias ?? production) : production);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const areGatesShut = problem?.code === "PROMOTION_GATES_FAILED";
  const current = versionAt(aliases, alias);
  const target = isBack ? to.back.find((way) => way.alias === alias)?.version : to.version;

  const move = async (force: boolean) => {
    setBusy(true);
    const said = reason.trim();
    const shared = { alias, expected: current, ...(said !== "" && { reason: said }) };
    try {
      const moved = isBack
        ? await rollback(model, shared)
        : await promote(model, { ...shared, version: to.version, ...(force && { force }) });
      notifications.show({ message: wordsOf(moved), color: "pine" });
      onMoved();
      onClose();
    } catch (thrown) {
      const found = asProblem(thrown);
      setProblem(found);
      if (found.code === "PROMOTION_CONFLICT") onMoved();
    } finally {
      setBusy(false);
    }
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void move(false);
  };

  const chooseAlias = (next: string) => {
    setAlias(next);
    setProblem(undefined);
  };

  return (
    <form onSubmit={submit} className={classes.form}>
      <Modal.Title className={classes.title}>
        {isBack
          ? `Take ${alias} back to version ${target}?`
          : `Point ${alias} at version ${target}?`}
      </Modal.Title>
      <p className={classes.about}>
        {current === null ? (
          <>
            {model}@{alias} points at nothing yet.
          </>
        ) : (
          <>
            {model}@{alias} points at version {current} now. Servers that follow it change over
            without losing a request.
          </>
        )}{" "}
        {!isBack && guarded.includes(alias) && "The gates of the model decide first."}
      </p>
      {isBack ? (
        to.back.length > 1 && (
          <label className={classes.label}>
            Alias
            <select value={alias} onChange={(event) => chooseAlias(event.currentTarget.value)}>
              {to.back.map((way) => (
                <option key={way.alias}>{way.alias}</option>
              ))}
            </select>
          </label>
        )
      ) : (
        <AliasField aliases={aliases} value={alias} onChange={chooseAlias} />
      )}
      <label className={classes.label}>
        Reason{" "}
        <span>{areGatesShut ? "(needed to pass the gates over)" : "(kept in the history)"}</span>
        <textarea
          rows={2}
          maxLength={2000}
          value={reason}
          data-autofocus
          onChange={(event) => setReason(event.currentTarget.value)}
        />
      </label>
      {problem !== undefined && <ProblemNote problem={problem} />}
      <div className={classes.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        {areGatesShut && (
          <Button
            color="red"
            variant="outline"
            loading={isBusy}
            {...(reason.trim() === "" && { "data-disabled": true })}
            aria-disabled={reason.trim() === ""}
            onClick={() => reason.trim() !== "" && void move(true)}
          >
            Pass the gates over
          </Button>
        )}
        <Button type="submit" loading={isBusy}>
          {isBack ? "Roll back" : "Promote"}
        </Button>
      </div>
    </form>
  );
}

/** An alias that there is, one of the usual ones, or a new one. */
function AliasField({
  aliases,
  value,
  onChange,
}: {
  readonly aliases: readonly AliasState[];
  readonly value: string;
  readonly onChange: (alias: string) => void;
}) {
  const listId = useId();
  const names = [...new Set([production, "candidate", ...aliases.map(({ alias }) => alias)])];
  return (
    <label className={classes.label}>
      Alias
      <input
        required
        list={listId}
        maxLength={63}
        autoComplete="off"
        spellCheck={false}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      <datalist id={listId}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </label>
  );
}

function wordsOf({ model, alias, version, previous }: Move): string {
  const before =
    previous === null || previous === version ? "" : `, and not at ${previous} any more`;
  return `${model}@${alias} points at version ${version}${before}.`;
}
