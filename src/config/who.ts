// Who works here, as far as the system knows: what changes are written down under.
import { hostname, userInfo } from "node:os";

/** `alice@machine`: the user that this process runs as. */
export function userOfMachine(): string {
  let name = "unknown";
  try {
    name = userInfo().username;
  } catch {
    // A user without an entry in the system's list has no name.
  }
  return `${name}@${hostname()}`;
}
