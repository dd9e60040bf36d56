// What the server behind the page serves and whether it is ready, looked at again when it changes, and now and then.
import { createContext, useContext, useEffect, useState } from "react";
import { concerns } from "../api/changes.js";
import { listModels, readiness } from "../api/client.js";
import { subscribeToKey } from "../api/key.js";
import { Problem } from "../api/problem.js";
import type { Model } from "../api/types.js";
import { subscribeToChanges } from "./changes.js";

const whenReadyMs = 30_000;
const whenNotMs = 2_000;

export interface ServerState {
  readonly status: "asking" | "ready" | "starting" | "locked" | "unreachable";
  /** What is served, the default first; empty until known. */
  readonly models: readonly Model[];
}

const unknown: ServerState = { status: "asking", models: [] };

export const ServerContext = createContext(unknown);

export function useServer(): ServerState {
  return useContext(ServerContext);
}

/** Watches the server; for the one provider of ServerContext. */
export function useServerWatch(): ServerState {
  const [state, setState] = useState(unknown);
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      clearTimeout(timer);
      const next = await ask(controller.signal);
      if (controller.signal.aborted) return;
      setState((before) => (isSame(before, next) ? before : next));
      clearTimeout(timer);
      timer = setTimeout(look, next.status === "ready" ? whenReadyMs : whenNotMs);
    };
    const lookIfSeen = () => {
      if (document.visibilityState === "visible") void look();
      else clearTimeout(timer);
    };
    void look();
    document.addEventListener("visibilitychange", lookIfSeen);
    const unsubscribe = subscribeToKey(() => void look());
    // The first time it is heard that somebody listens, the answer is on its way already.
    let hasBegun = false;
    const unsubscribeFromChanges = subscribeToChanges((changes) => {
      if (concerns(changes, ["served"]) && hasBegun) void look();
      hasBegun = true;
    });
    return () => {
      controller.abort();
      clearTimeout(timer);
      unsubscribe();
      unsubscribeFromChanges();
      document.removeEventListener("visibilitychange", lookIfSeen);
    };
  }, []);
  return state;
}

async function ask(signal: AbortSignal): Promise<ServerState> {
  try {
    const status = await readiness(signal);
    return { status, models: await listModels(signal) };
  } catch (thrown) {
    const locked = thrown instanceof Problem && (thrown.status === 401 || thrown.status === 403);
    return { status: locked ? "locked" : "unreachable", models: [] };
  }
}

function isSame(before: ServerState, next: ServerState): boolean {
  return JSON.stringify(before) === JSON.stringify(next);
}
