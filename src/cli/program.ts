// The commands put together; parsing them throws BridleErrors and never ends the process.
import { Command, CommanderError } from "commander";
import { bridleVersion } from "../config/version.js";
import { asTyped, fromCommanderError, type Typed } from "./command-line-errors.js";
import type { Terminal } from "./terminal.js";

/** @param isAsked whether the command's name is among the words, so that its own help may be wanted */
type AddCommand = (program: Command, terminal: Terminal, isAsked: boolean) => void | Promise<void>;

/** Every command in the order of the help. A command line starts sooner for not loading what belongs to the others. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  serve: async () => (await import("./serve.js")).addServeCommand,
  summarize: async () => (await import("./summarize.js")).addSummarizeCommand,
  tokenize: async () => (await import("./tokenize.js")).addTokenizeCommand,
  rouge: async () => (await import("./rouge.js")).addRougeCommand,
  evaluate: async () => (await import("./evaluate.js")).addEvaluateCommand,
  tokenizer: async () => (await import("./tokenizer.js")).addTokenizerCommand,
  data: async () => (await import("./data.js")).addDataCommand,
  models: async () => (await import("./models.js")).addModelsCommand,
  quantize: async () => (await import("./quantize.js")).addQuantizeCommand,
  profile: async () => (await import("./profile.js")).addProfileCommand,
  train: async () => (await import("./train.js")).addTrainCommand,
  sweep: async () => (await import("./sweep.js")).addSweepCommand,
  runs: async () => (await import("./runs.js")).addRunsCommand,
  config: async () => (await import("./config.js")).addConfigCommand,
  reproduce: async () => (await import("./reproduce.js")).addReproduceCommand,
  doctor: async () => (await import("./doctor.js")).addDoctorCommand,
  "api-key": async () => (await import("./api-key.js")).addApiKeyCommand,
};

/** Names of the commands that a command line needs: the one it begins with; all where it begins with none, as for help. */
function neededCommands([first = ""]: readonly string[]): readonly string[] {
  if (Object.hasOwn(commands, first)) return [first];
  return ["-V", "--version"].includes(first) ? [] : Object.keys(commands);
}

/**
 * Runs one command line.
 * @param args the words after `bridle`
 * @throws BridleError for anything that goes wrong
 */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<void> {
  const program = await createProgram(args, terminal);
  if (args.length === 0) {
    program.outputHelp();
    return;
  }
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (thrown) {
    const typed = typedSoFar(program, args);
    if (!(thrown instanceof CommanderError)) throw asTyped(typed, thrown);
    const error = fromCommanderError(thrown, typed);
    if (error !== undefined) throw error;
  }
}

async function createProgram(args: readonly string[], terminal: Terminal): Promise<Command> {
  const program = new Command("bridle")
    .description("Summarizes text, serves summaries over HTTP, and tells how good they are.")
    .version(bridleVersion, "-V, --version", "print the version")
    .helpOption("-h, --help", "print what a command takes, with examples")
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      // What the parser objects to is thrown, and told in one way with every other error.
      writeErr: () => {},
    })
    .exitOverride();
  for (const name of neededCommands(args)) {
    const add = await commands[name]?.();
    await add?.(program, terminal, args.includes(name));
  }
  program.addHelpText(
    "after",
    "\nExit codes: 0 done, 1 a bug, 2 wrong input, 3 not allowed, 4 not found, 5 conflict, 6 below a bar,\n" +
      "7 busy, 8 not available or too late, 130 interrupted.",
  );
  return program;
}

/** The command as far as it is one, for hints: `bridle api-key create`. */
function typedSoFar(program: Command, args: readonly string[]): Typed {
  let command: Command = program;
  const names = [program.name()];
  for (const word of args) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) break;
    names.push(word);
    command = next;
  }
  return {
    typed: names.join(" "),
    commands: command.commands.map((each) => each.name()),
    rest: args.slice(names.length - 1),
    flags: new Map(command.options.map((each) => [each.attributeName(), each.long ?? ""])),
  };
}
