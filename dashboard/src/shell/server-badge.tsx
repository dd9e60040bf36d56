// Which model answers, in which version, and whether it is ready.
import { ActionIcon, Tooltip, UnstyledButton } from "@mantine/core";
import { KeyRound } from "lucide-react";
import { useSyncExternalStore } from "react";
import { getKey, subscribeToKey } from "../api/key.js";
import { shortName } from "../api/model-name.js";
import { openKeyDialog } from "./key-dialog.js";
import classes from "./server-badge.module.css";
import { type ServerState, useServer } from "./use-server.js";

const words: Record<ServerState["status"], { short: string; long: string }> = {
  asking: { short: "Asking …", long: "Asking the server what it serves" },
  ready: { short: "Ready", long: "The model is warm and takes work" },
  starting: { short: "Starting", long: "The server is up; its model is not ready yet" },
  locked: { short: "Key needed", long: "This server wants an API key; choose to enter it" },
  unreachable: { short: "No answer", long: "The server does not answer; trying again" },
};

export function ServerBadge() {
  const { status, models } = useServer();
  const model = models.find(({ isDefault }) => isDefault) ?? models[0];
  const { short, long } = words[status];
  const content = (
    <>
      <span className={classes.dot} data-status={status} aria-hidden />
      {model !== undefined && (
        <span className={classes.model}>
          {shortName(model.name)}{" "}
          <span className={classes.version}>
            {models.length > 1 ? `and ${models.length - 1} more` : model.version}
          </span>
        </span>
      )}
      <span className={classes.status}>{short}</span>
    </>
  );
  if (status === "locked") {
    return (
      <Tooltip label={long}>
        <UnstyledButton className={classes.badge} onClick={openKeyDialog}>
          {content}
          <KeyRound size={15} aria-hidden />
        </UnstyledButton>
      </Tooltip>
    );
  }
  return (
    <Tooltip label={long}>
      <div className={classes.badge} role="status" aria-label={`Server: ${short}`}>
        {content}
      </div>
    </Tooltip>
  );
}

/** Shown while a key is kept, so that it can be changed or forgotten. */
export function KeyButton() {
  const key = useSyncExternalStore(subscribeToKey, getKey);
  if (key === undefined) return null;
  return (
    <Tooltip label="Change or forget the API key">
      <ActionIcon
        variant="subtle"
        color="gray"
        size={36}
        aria-label="Change or forget the API key"
        onClick={openKeyDialog}
      >
        <KeyRound size={18} />
      </ActionIcon>
    </Tooltip>
  );
}
