// The request that the page just made, as a line for a POSIX shell.
import type { SummaryRequest } from "../api/types.js";

/** A body up to so many UTF-16 units stands in the line itself; Linux takes at most 128 KiB of bytes for one argument. */
const inlineUpTo = 2_000;
/** Up to so many it stands in a here-document below the line; more is no fun to paste into a terminal. */
const hereUpTo = 64_000;

export const requestFileName = "bridle-request.json";

export interface CurlCommand {
  readonly command: string;
  /** What the command expects in a file named `requestFileName`; undefined where the command holds it all. */
  readonly requestFile: string | undefined;
}

/**
 * The command that makes this request with curl.
 * `withKey` sends the key from the variable BRIDLE_API_KEY, so that the key itself never reaches the clipboard.
 */
export function curlCommand(
  origin: string,
  request: SummaryRequest,
  { withKey = false }: { readonly withKey?: boolean } = {},
): CurlCommand {
  const body = JSON.stringify(request);
  const line = [
    "curl",
    "--header 'Content-Type: application/json'",
    ...(withKey ? ['--header "Authorization: Bearer $BRIDLE_API_KEY"'] : []),
  ];
  const url = quote(`${origin}/v1/summaries`);
  if (body.length <= inlineUpTo) {
    return { command: [...line, "--data", quote(body), url].join(" "), requestFile: undefined };
  }
  if (body.length <= hereUpTo) {
    // JSON in one line can never be the line that ends the here-document.
    const here = [...line, "--data-binary @-", url, "<<'REQUEST'"].join(" ");
    return { command: `${here}\n${body}\nREQUEST\n`, requestFile: undefined };
  }
  return {
    command: [...line, "--data-binary", `@${requestFileName}`, url].join(" "),
    requestFile: body,
  };
}

/** One word of a POSIX shell, whatever it holds. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
