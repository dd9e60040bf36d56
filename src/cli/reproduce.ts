// `bridle reproduce`: trains a version again from what is frozen beside it and tells whether the weights are the same.
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import type { Fact, FetchMissing, Reproduction, TensorDifference } from "../train/reproduce.js";
import { targetsOf, withRepository } from "./data-repository.js";
import { showDownloads } from "./download-progress.js";
import { addExamples, addJsonOption } from "./options.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";
import { openDisplay } from "./train-display.js";

interface Options {
  readonly output?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

export function addReproduceCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("reproduce")
    .summary("retrain a version and compare the weights bit for bit")
    .description(
      "Reads the bridle.json of a trained model, checks that data and starting model are the recorded ones, tells what " +
        "else differs (code, libraries, machine), trains again in a folder of its own, and compares the weights with " +
        "the recorded hashes. The version's own weights need not be there. Run it from the folder it was trained from.",
    )
    .argument("<version>", "folder with the bridle.json of a trained model")
    .option("--output <folder>", "folder of the retrained model (default: VERSION-reproduced)")
    .option("--overwrite", "remove an earlier reproduction there");
  addJsonOption(command);
  addExamples(command, [
    ["bridle reproduce model", "exit code 0 where every bit is the same, 6 where not"],
    ["bridle reproduce model --output again --json", "the same for a program"],
  ]).action((version: string, options: Options) => run(version, options, terminal));
}

async function run(version: string, options: Options, terminal: Terminal): Promise<void> {
  const { reproduce } = await import("../train/reproduce.js");
  const { modelSources } = await import("../compose.js");
  const { output, overwrite = false, json } = options;
  const display = await openDisplay(terminal);
  const result = await showDownloads(terminal, (downloading) =>
    reproduce(version, {
      ...downloading,
      ...(output !== undefined && { output }),
      overwrite,
      fetchMissing: fetchVersioned(terminal),
      sources: modelSources({ env: terminal.env }),
      onEvent: display.show,
      onFacts: (facts) => {
        for (const fact of facts) {
          if (!fact.same) terminal.stderr.write(`warning: ${describeFact(fact)}\n`);
        }
      },
    }),
  ).finally(display.close);
  if (json) await printJson(terminal, result);
  else await tell(result, terminal);
  if (result.same) return;
  const files = result.weights.flatMap(({ file, same }) => (same ? [] : [file])).join(", ");
  const facts = result.facts.filter(({ same }) => !same).map(describeFact);
  const error = new BridleError("NOT_REPRODUCED", {
    version,
    output: result.output,
    files,
    facts:
      facts.length === 0 ? "Nothing that is recorded differs." : `Different: ${facts.join("; ")}.`,
  });
  throw json ? markTold(error) : error;
}

/** Fetches what a .dvc file or dvc.lock names, by its hash. A file that none of them names stays missing. */
function fetchVersioned(terminal: Terminal): FetchMissing {
  return async ({ file }) => {
    const [{ pull }, { openBlobStore }] = await Promise.all([
      import("../data/dvc/pull.js"),
      import("../compose.js"),
    ]);
    try {
      await withRepository(terminal, (open) => {
        const scope = { targets: targetsOf(open, [file]) };
        return pull(open.repository, openBlobStore, scope, { ...open.steps, env: open.env });
      });
    } catch (thrown) {
      const untracked = ["DVC_REPO_NOT_FOUND", "DVC_PATH_NOT_TRACKED", "DVC_PATH_UNFIT"];
      if (thrown instanceof BridleError && untracked.includes(thrown.code)) return false;
      throw thrown;
    }
    return existsSync(file);
  };
}

function describeFact({ name, recorded, now }: Fact): string {
  return `${name} was ${recorded ?? "none"}, now it is ${now ?? "none"}`;
}

function describeDifference({ file, tensor, elements, of, largest }: TensorDifference): string {
  const where = `${tensor} of ${file}`;
  if (elements === null) return `${where}: only in one of the two, or of another shape`;
  return `${where}: ${elements} of ${of} elements, by ${largest?.toExponential(2)} at most`;
}

async function tell(result: Reproduction, terminal: Terminal): Promise<void> {
  for (const { file, sha256, now, same } of result.weights) {
    await printLine(
      terminal,
      same
        ? `${file}: the same, bit for bit (SHA-256 ${sha256})`
        : `${file}: SHA-256 ${now ?? "none"}, recorded is ${sha256}`,
    );
  }
  for (const each of result.differences) await printLine(terminal, `  ${describeDifference(each)}`);
  await printLine(terminal, `The model of step ${result.step} is in ${result.output}.`);
}
