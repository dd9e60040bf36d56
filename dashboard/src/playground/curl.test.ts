// A real shell reads the copied line as the request that was made.
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { curlCommand, quote } from "./curl.js";

const origin = "http://127.0.0.1:8000";
const parameters = { sentences: 2 };
const nasty =
  "It's \"quoted\", $HOME `id` \\n and \\ back\nnew line\r\n\ttab \u0000 é 漢字 😀 \ud800 !! 'REQUEST'\nREQUEST\n";

/** What a POSIX shell makes of a command line: `curl` is a function that prints its arguments and its standard input. */
function runWithFakeCurl(command: string): { args: string[]; stdin: string } {
  const script = `curl() { for a in "$@"; do printf '%s\\0' "$a"; done; printf '\\001'; cat; }\n${command}\n`;
  const said = execFileSync("sh", ["-c", script], { input: "", encoding: "utf8" });
  const [args = "", stdin = ""] = said.split("\u0001");
  return { args: args.split("\0").slice(0, -1), stdin };
}

describe.skipIf(process.platform === "win32")("curlCommand in a shell (none on Windows)", () => {
  it("puts a short request into the line, whatever it holds", () => {
    const request = { document: nasty, parameters };
    const { command, requestFile } = curlCommand(origin, request);
    expect(requestFile).toBeUndefined();
    expect(command).not.toContain("\n");
    const { args } = runWithFakeCurl(command);
    expect(args).toEqual([
      "--header",
      "Content-Type: application/json",
      "--data",
      JSON.stringify(request),
      `${origin}/v1/summaries`,
    ]);
  });

  it("puts a longer one into a here-document", () => {
    const request = { document: nasty.repeat(100), parameters };
    const { command, requestFile } = curlCommand(origin, request);
    expect(requestFile).toBeUndefined();
    const { args, stdin } = runWithFakeCurl(command);
    expect(args.slice(2)).toEqual(["--data-binary", "@-", `${origin}/v1/summaries`]);
    expect(JSON.parse(stdin)).toEqual(JSON.parse(JSON.stringify(request)));
  });

  it("leaves a long one to a file", () => {
    const request = { document: nasty.repeat(2_000), parameters };
    const { command, requestFile } = curlCommand(origin, request);
    expect(requestFile).toBe(JSON.stringify(request));
    expect(runWithFakeCurl(command).args).toContain("@bridle-request.json");
  });

  it("names the key, never shows it", () => {
    const { command } = curlCommand(origin, { document: "A.", parameters }, { withKey: true });
    const { args } = runWithFakeCurl(`BRIDLE_API_KEY='brd one'\n${command}`);
    expect(args).toContain("Authorization: Bearer brd one");
  });
});

describe("quote", () => {
  it("makes one word of anything", () => {
    expect(quote("it's")).toBe("'it'\\''s'");
    expect(quote("")).toBe("''");
  });
});
