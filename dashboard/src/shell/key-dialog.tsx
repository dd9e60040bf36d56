// Asks for an API key when the server wants one; the key stays in this tab.
import { Button, Modal, PasswordInput } from "@mantine/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { onKeyNeeded } from "../api/http.js";
import { getKey, setKey } from "../api/key.js";
import classes from "./key-dialog.module.css";

interface Question {
  /** False where the person opened the dialog and no request waits for it. */
  readonly wanted: boolean;
  readonly rejected: string | undefined;
  readonly answer: (key: string | undefined) => void;
}

let openFromOutside: () => void = () => {};

/** Opens the dialog on the person's own wish, to enter a key or to forget it. */
export function openKeyDialog(): void {
  openFromOutside();
}

export function KeyDialog() {
  const [question, setQuestion] = useState<Question>();
  const [typed, setTyped] = useState("");
  const [complaint, setComplaint] = useState<string>();
  const waiting = useRef<Question>(undefined);

  useEffect(() => {
    const ask = (next: Question) => {
      // A second request that needs a key joins the dialog that is open.
      waiting.current?.answer(undefined);
      waiting.current = next;
      setTyped("");
      setComplaint(next.rejected);
      setQuestion(next);
    };
    onKeyNeeded((rejected) => new Promise((answer) => ask({ wanted: true, rejected, answer })));
    openFromOutside = () =>
      ask({
        wanted: getKey() === undefined,
        rejected: undefined,
        answer: (key) => key && setKey(key),
      });
  }, []);

  const close = (key: string | undefined) => {
    waiting.current = undefined;
    setQuestion(undefined);
    question?.answer(key);
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const key = typed.trim();
    // Anything else cannot stand in an HTTP header.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      setComplaint("A key is made of letters, digits and signs, without spaces.");
      return;
    }
    close(key);
  };

  return (
    <Modal.Root
      opened={question !== undefined}
      onClose={() => close(undefined)}
      centered
      size={420}
    >
      <Modal.Overlay />
      <Modal.Content>
        <Modal.Body className={classes.body}>
          {/* Not in Modal.Header: its <header> would count as a second banner of the page. */}
          <Modal.Title className={classes.title}>
            {question?.wanted === false ? "Your API key" : "This server wants an API key"}
          </Modal.Title>
          <form onSubmit={submit} className={classes.form}>
            <PasswordInput
              label="API key"
              description="Kept in this tab until you close it, and sent to this server only."
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              error={complaint}
              errorProps={{ role: "alert" }}
              aria-invalid={complaint !== undefined}
              visibilityToggleFocusable
              autoComplete="off"
              data-autofocus
            />
            <div className={classes.actions}>
              {getKey() !== undefined && (
                <Button
                  variant="subtle"
                  color="gray"
                  onClick={() => {
                    setKey(undefined);
                    close(undefined);
                  }}
                >
                  Forget the key
                </Button>
              )}
              <Button variant="default" onClick={() => close(undefined)}>
                Cancel
              </Button>
              <Button type="submit">Use this key</Button>
            </div>
          </form>
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
