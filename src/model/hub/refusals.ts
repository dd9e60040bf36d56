// What the hub refuses, as errors that name the repository and say what to do.
import type { HubSettings } from "../../config/hub-settings.js";
import { BridleError } from "../../errors/error.js";
import type { HubId } from "./hub-id.js";
import type { HubAnswer } from "./requests.js";

/**
 * The error behind a status that is no success, and a body nobody reads.
 * The hub says 401 for whatever a caller without a token may not know of, a repository that does not exist included;
 * its header X-Error-Code tells more. Source: huggingface_hub, utils/_http.py, hf_raise_for_status.
 */
export async function refusal(
  answer: HubAnswer,
  id: HubId,
  { endpoint, token }: HubSettings,
  what: string,
): Promise<BridleError> {
  await answer.discard();
  const { status, headers, url } = answer;
  const { repo, revision } = id;
  const { host } = new URL(url);
  const page = `${endpoint}/${repo}`;
  const asker = token === undefined ? "anybody without a token" : `the token of ${token.source}`;
  const code = headers.get("x-error-code");
  const message = (headers.get("x-error-message") ?? "").slice(0, 300).replace(/\.$/, "");
  if (!answer.isHub) {
    return new BridleError("HUB_UNREACHABLE", { host, what, reason: `it answered ${status}` });
  }
  if (code === "RevisionNotFound") {
    return new BridleError("HUB_REVISION_NOT_FOUND", { repo, revision, url: page });
  }
  if (code === "GatedRepo" || status === 403) {
    const reason = message || "the hub forbids it";
    return new BridleError("HUB_ACCESS_DENIED", { repo, asker, reason, url: page });
  }
  if (status === 401 && token !== undefined && code !== "RepoNotFound") {
    const details = { host, source: token.source, url: `${endpoint}/settings/tokens` };
    return new BridleError("HUB_TOKEN_REFUSED", details);
  }
  if (code === "RepoNotFound" || status === 401 || status === 404) {
    return new BridleError("HUB_REPO_NOT_FOUND", { host, repo, asker, url: page });
  }
  const said = message === "" ? "" : ` (${message})`;
  const reason = `its status is ${status}${said}`;
  return new BridleError("HUB_ANSWER_INVALID", { host, what, reason });
}

/** Whether the hub says that it knows the repository and revision, but not this file in it. */
export function isNoSuchFile({ status, headers }: HubAnswer): boolean {
  return status === 404 && headers.get("x-error-code") === "EntryNotFound";
}
