// Keeps a page of somebody else's from acting through a browser that reaches this server without a key.
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isLoopback } from "../config/serve-config.js";
import { BridleError } from "../errors/error.js";

export const csrfHeader = "x-bridle-csrf";

export interface CsrfGuard {
  /** To be read by pages of this server and sent back with what changes something. */
  readonly token: string;
  /** @throws ORIGIN_REFUSED where another site's page asks, or a name that is not this machine's was used to get here */
  checkOrigin(incoming: IncomingMessage): void;
  /** @throws ORIGIN_REFUSED, CSRF_TOKEN_MISSING */
  check(incoming: IncomingMessage): void;
}

/** The token holds as long as the server runs. */
export function createCsrfGuard(): CsrfGuard {
  const token = randomBytes(32).toString("base64url");
  const expected = Buffer.from(token);

  function checkOrigin({ headers }: IncomingMessage): void {
    const { origin, host = "", "sec-fetch-site": site } = headers;
    // A foreign name that leads to this machine (DNS rebinding) makes a page of its own origin; the name gives it away.
    if (!isLoopback(hostnameOf(host)))
      throw refused(`it was sent to ${JSON.stringify(host.slice(0, 100))}`);
    if (site !== undefined && site !== "same-origin" && site !== "none") {
      throw refused(`it comes from a page of another site (${String(site).slice(0, 40)})`);
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      throw refused(`it comes from a page of ${origin.slice(0, 100)}`);
    }
  }

  return {
    token,
    checkOrigin,
    check(incoming) {
      checkOrigin(incoming);
      const given = Buffer.from(String(incoming.headers[csrfHeader] ?? ""));
      const holds = given.length === expected.length && timingSafeEqual(given, expected);
      if (!holds) throw new BridleError("CSRF_TOKEN_MISSING", { header: csrfHeader });
    },
  };
}

function refused(reason: string): BridleError {
  return new BridleError("ORIGIN_REFUSED", { reason });
}

/** The name in a Host header, without its port. */
function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, "");
}
