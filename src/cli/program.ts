// The commands put together; parsing them throws BridleErrors and never ends the process.
import { Command, CommanderError } from "commander";
import { bridleVersion } from "../config/version.js";
import { addApiKeyCommand } from "./api-key.js";
import { fromCommanderError, withHelpOf } from "./command-line-errors.js";
import { addConfigCommand } from "./config.js";
import { addDataCommand } from "./data.js";
import { addDoctorCommand } from "./doctor.js";
import { addEvaluateCommand } from "./evaluate.js";
import { addModelsCommand } from "./models.js";
import { addProfileCommand } from "./profile.js";
import { addQuantizeCommand } from "./quantize.js";
import { addReproduceCommand } from "./reproduce.js";
import { addRougeCommand } from "./rouge.js";
import { addRunsCommand } from "./runs.js";
import { addServeCommand } from "./serve.js";
import { addSummarizeCommand } from "./summarize.js";
import { addSweepCommand } from "./sweep.js";
import type { Terminal } from "./terminal.js";
import { addTokenizeCommand } from "./tokenize.js";
import { addTokenizerCommand } from "./tokenizer.js";
import { addTrainCommand } from "./train.js";

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
    if (!(thrown instanceof CommanderError)) throw withHelpOf(typed, thrown);
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
  await addServeCommand(program, terminal, args.includes("serve"));
  addSummarizeCommand(program, terminal);
  addTokenizeCommand(program, terminal);
  addRougeCommand(program, terminal);
  addEvaluateCommand(program, terminal);
  addTokenizerCommand(program, terminal);
  addDataCommand(program, terminal);
  addModelsCommand(program, terminal);
  addQuantizeCommand(program, terminal);
  addProfileCommand(program, terminal);
  await addTrainCommand(program, terminal, args.includes("train"));
  addSweepCommand(program, terminal);
  addRunsCommand(program, terminal);
  addConfigCommand(program, terminal);
  addReproduceCommand(program, terminal);
  addDoctorCommand(program, terminal);
  addApiKeyCommand(program, terminal);
  program.addHelpText(
    "after",
    "\nExit codes: 0 done, 1 a bug, 2 wrong input, 3 not allowed, 4 not found, 5 conflict, 6 below a bar,\n" +
      "7 busy, 8 not available or too late, 130 interrupted.",
  );
  return program;
}

/** The command as far as it is one, for hints: `bridle api-key create`. */
function typedSoFar(program: Command, args: readonly string[]): string {
  let command: Command = program;
  const names = [program.name()];
  for (const word of args) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) break;
    names.push(word);
    command = next;
  }
  return names.join(" ");
}
