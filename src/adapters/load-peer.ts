// Packages that users install themselves, when they use what needs them.
import { BridleError } from "../errors/error.js";

/**
 * Loads a package that may not be installed.
 * @param what what needs it, as the message says it
 * @throws PEER_MISSING
 */
export async function loadPeer<Module>(
  what: string,
  name: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : "";
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw cause;
    throw new BridleError("PEER_MISSING", { what, package: name }, { cause });
  }
}
