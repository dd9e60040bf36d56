// What `?` shows: every key that does something here, and a switch for those who would rather have none.
import { ActionIcon, Kbd, Modal, Switch, Tooltip } from "@mantine/core";
import { Keyboard } from "lucide-react";
import { useState } from "react";
import classes from "./help-dialog.module.css";
import { go } from "./router.js";
import { sections } from "./sections.js";
import { turnKeys, useKeysOn, useShortcutGroups, useShortcuts } from "./shortcuts.js";

/** The button that opens it; the one place where the keys of every page are made. */
export function HelpButton() {
  const [isOpen, setOpen] = useState(false);
  const groups = useShortcutGroups();
  const on = useKeysOn();
  useShortcuts("Everywhere", [
    { keys: ["?"], does: "Show these keys", run: () => setOpen(true) },
    ...sections.map(({ label, path, letter }) => ({
      keys: ["g", letter],
      does: `Go to ${label}`,
      run: () => go(path),
    })),
  ]);
  // Those of the page come first: they are what is asked for.
  const shown = [...groups].reverse();
  return (
    <>
      <Tooltip label="Keys (?)">
        <ActionIcon
          className={classes.button}
          variant="subtle"
          color="gray"
          size={36}
          aria-label="Keys"
          aria-keyshortcuts="?"
          onClick={() => setOpen(true)}
        >
          <Keyboard size={18} />
        </ActionIcon>
      </Tooltip>
      <Modal.Root opened={isOpen} onClose={() => setOpen(false)} centered size={460}>
        <Modal.Overlay />
        <Modal.Content>
          <Modal.Body className={classes.body}>
            <div className={classes.head}>
              <Modal.Title className={classes.title}>Keys</Modal.Title>
              <Modal.CloseButton aria-label="Close" />
            </div>
            {shown.map(({ title, shortcuts }) => (
              <section key={title} aria-label={title}>
                <h3 className={classes.group}>{title}</h3>
                <dl className={classes.list}>
                  {shortcuts.map(({ keys, does }) => (
                    <div key={keys.join(" ")} className={classes.row} data-off={!on || undefined}>
                      <dt>
                        {keys.map((key) => (
                          <Kbd key={key}>{key}</Kbd>
                        ))}
                      </dt>
                      <dd>{does}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
            <Switch
              className={classes.switch}
              label="Single keys do these things"
              description="Off, the keys above do nothing; Tab, Enter, arrows and Ctrl+Enter always work."
              checked={on}
              onChange={(event) => turnKeys(event.currentTarget.checked)}
            />
          </Modal.Body>
        </Modal.Content>
      </Modal.Root>
    </>
  );
}
