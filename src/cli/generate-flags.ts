// The options of neural models as flags, made from the schema that checks them everywhere else.
import { type Command, Option } from "commander";
import { expectationOf } from "../config/expectation.js";
import { type GenerateOptions, generateOptionsSchema } from "../config/generate-options.js";
import { modelDTypes } from "../config/model-dtypes.js";
import { BridleError } from "../errors/error.js";
import type { SummaryParameters } from "../summarize/summarizer.js";
import { oneOf } from "./options.js";

type Name = keyof GenerateOptions;

/** A command writes one summary a document; `numReturnSequences` is for `model.generate`. */
const names = Object.keys(generateOptionsSchema.omit({ numReturnSequences: true }).shape) as Name[];
const flagOf = (name: string) =>
  `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** A word of the command line as the JSON value it reads as, else as itself. */
function readValue(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    return word;
  }
}

/**
 * Adds a flag for every option, and one for truncation; each takes a JSON value, such as 4, true or [[7, 9]].
 * @param except options whose names mean something else to the command
 */
export function addGenerateFlags(command: Command, except: readonly Name[] = []): Command {
  for (const name of names.filter((each) => !except.includes(each))) {
    const field = generateOptionsSchema.shape[name];
    const { description = name } = field.unwrap();
    const option = new Option(`${flagOf(name)} <value>`, description).helpGroup("Neural models:");
    option.argParser((word) => {
      const parsed = field.safeParse(readValue(word));
      if (parsed.success) return parsed.data;
      throw new BridleError("INVALID_PARAMETER", {
        parameter: flagOf(name),
        value: JSON.stringify(word),
        expected: expectationOf(parsed.error.issues[0]),
      });
    });
    command.addOption(option);
  }
  return command.addOption(
    new Option(
      "--truncation",
      "read only what fits the model at once, where long documents are read in parts",
    ).helpGroup("Neural models:"),
  );
}

/** What a neural model is asked for among a command's options. */
export function generateOptionsOf(
  options: object,
): Pick<SummaryParameters, keyof GenerateOptions | "truncation"> {
  const given = Object.entries(options).filter(
    ([name, value]) =>
      (names.includes(name as Name) || name === "truncation") && value !== undefined,
  );
  return Object.fromEntries(given);
}

const devices = ["auto", "cpu", "webgpu", "cuda"] as const;

/** Where a neural model runs, and with which numbers. */
export function addDeviceFlag(command: Command): Command {
  const device = new Option(
    "--device <name>",
    `where it runs: ${devices.join(", ")} (default: auto)`,
  ).argParser(oneOf("--device", devices));
  const dtype = new Option(
    "--dtype <name>",
    `what its weights are computed with: ${modelDTypes.join(", ")} (default: what its folder holds, fp32 where it holds weights as they were trained)`,
  ).argParser(oneOf("--dtype", modelDTypes));
  for (const option of [device, dtype]) command.addOption(option.helpGroup("Neural models:"));
  return command;
}
