// Asks before an alias is moved: what will answer from then on, why, and, where gates are in the way, what they say.
import { Button, Modal } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type FormEvent, useState } from "react";
import { asProblem } from "../api/http.js";
import type { Problem } from "../api/problem.js";
import { type Move, promote, rollback } from "../api/registry.js";
import { ProblemNote } from "../shell/problem-note.js";
import classes from "./move-dialog.module.css";

export interface PlannedMove {
  readonly action: "promote" | "rollback";
  readonly model: string;
  readonly alias: string;
  /** Where the alias was when the person chose this. */
  readonly current: number | null;
  /** Where it will be; undefined for a rollback, of which the server knows where it leads. */
  readonly version: number | undefined;
}

export function MoveDialog({
  plan,
  onClose,
  onMoved,
}: {
  readonly plan: PlannedMove | undefined;
  readonly onClose: () => void;
  readonly onMoved: () => void;
}) {
  return (
    <Modal.Root opened={plan !== undefined} onClose={onClose} centered size={500}>
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body className={classes.body}>
          {plan !== undefined && <Form plan={plan} onClose={onClose} onMoved={onMoved} />}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Form({
  plan,
  onClose,
  onMoved,
}: {
  readonly plan: PlannedMove;
  readonly onClose: () => void;
  readonly onMoved: () => void;
}) {
  const { action, model, alias, current, version } = plan;
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const areGatesShut = problem?.code === "PROMOTION_GATES_FAILED";

  const move = async (force: boolean) => {
    setBusy(true);
    const said = reason.trim();
    const shared = { alias, expected: current, ...(said !== "" && { reason: said }) };
    try {
      const moved =
        action === "rollback" || version === undefined
          ? await rollback(model, shared)
          : await promote(model, { ...shared, version, ...(force && { force }) });
      notifications.show({ message: wordsOf(moved), color: "pine" });
      onMoved();
      onClose();
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void move(false);
  };

  return (
    <form onSubmit={submit} className={classes.form}>
      <Modal.Title className={classes.title}>
        {action === "promote"
          ? `Point ${alias} at version ${version}?`
          : `Take ${alias} back to where it was before?`}
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
        {action === "promote" && "The gates of the model decide first."}
      </p>
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
            data-disabled={reason.trim() === "" || undefined}
            aria-disabled={reason.trim() === ""}
            onClick={() => reason.trim() !== "" && void move(true)}
          >
            Pass the gates over
          </Button>
        )}
        <Button type="submit" loading={isBusy}>
          {action === "promote" ? "Promote" : "Roll back"}
        </Button>
      </div>
    </form>
  );
}

function wordsOf({ model, alias, version, previous }: Move): string {
  const before = previous === null ? "" : `, and not at ${previous} any more`;
  return `${model}@${alias} points at version ${version}${before}.`;
}
