// `bridle api-key create`: adds a key to a server's key file and shows it once.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import { addExamples, addJsonOption, listOf, wholeNumber } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface CreateOptions {
  readonly name: string;
  readonly scopes: string;
  readonly file?: string;
  readonly expiresInDays?: number;
  readonly json?: boolean;
}

const dayMs = 86_400_000;
/** A hundred years. */
const mostDays = 36_500;

/** @throws INVALID_PARAMETER */
function readName(value: string): string {
  if (value.trim() === "") throw invalid("--name", value, "some text that is not blank");
  return value;
}

/** @throws INVALID_PARAMETER */
function readDays(value: string): number {
  const days = wholeNumber("--expires-in-days")(value);
  if (days > mostDays)
    throw invalid("--expires-in-days", value, `a whole number from 1 to ${mostDays}`);
  return days;
}

function invalid(parameter: string, value: string, expected: string): BridleError {
  const details = { parameter, value: JSON.stringify(value), expected };
  return new BridleError("INVALID_PARAMETER", details);
}

export function addApiKeyCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("api-key")
    .summary("make keys for the HTTP service")
    .description("Keeps the file of hashed API keys that `bridle serve --api-keys-file` reads.");
  const create = command
    .command("create")
    .summary("add a key to a key file and print it once")
    .description(
      "Makes a key, adds its hash to the key file and prints the key. It is shown this once: the file " +
        "holds only a hash. A running server takes the new key when it is started again.",
    )
    .requiredOption("--name <name>", "who or what uses the key; appears in logs", readName)
    .option("--scopes <list>", "what it may do: summarize, read, admin", "summarize,read")
    .option(
      "--file <file>",
      "key file, made where there is none (default: $BRIDLE_API_KEYS_FILE, else .bridle/api-keys.json)",
    )
    .option("--expires-in-days <n>", `when it stops working; at most ${mostDays}`, readDays);
  addJsonOption(create);
  addExamples(create, [
    ["bridle api-key create --name newsroom --file keys.json", "a key that may summarize"],
    ["bridle serve --api-keys-file keys.json", "a server that asks for keys"],
  ]).action((options: CreateOptions) => run(options, terminal));
}

async function run(options: CreateOptions, terminal: Terminal): Promise<void> {
  const [{ addApiKey, scopes }, { mkdir }, path, { writeError }, { stateFolder }] =
    await Promise.all([
      import("../server/api-keys.js"),
      import("node:fs/promises"),
      import("node:path"),
      import("../errors/file-errors.js"),
      import("../config/state.js"),
    ]);
  const file =
    options.file ??
    (terminal.env.BRIDLE_API_KEYS_FILE || path.join(stateFolder(terminal.env), "api-keys.json"));
  const { name, expiresInDays } = options;
  const wanted = {
    name,
    scopes: listOf("--scopes", scopes)(options.scopes),
    expiresAt:
      expiresInDays === undefined ? undefined : new Date(Date.now() + expiresInDays * dayMs),
  };
  let key: string;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    key = await addApiKey(file, wanted);
  } catch (thrown) {
    throw writeError(thrown, file);
  }
  if (options.json) {
    const expiresAt = wanted.expiresAt?.toISOString() ?? null;
    return await printJson(terminal, { key, name, scopes: wanted.scopes, file, expiresAt });
  }
  await printLine(terminal, key);
  terminal.stderr.write(
    `Added to ${file}. This key is shown once; keep it where secrets are kept.\n`,
  );
}
