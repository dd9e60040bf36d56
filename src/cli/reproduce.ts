// `bridle reproduce`: trains a version again from what is frozen beside it and tells whether the weights are the same.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import type { Fact, FetchRecorded, Reproduction, TensorDifference } from "../train/reproduce.js";
import { type OpenRepository, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { showPreparation } from "./preparation-progress.js";
import { addRegistryFlags, type RegistryFlags, sourcesOf } from "./registry-flags.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";
import { openDisplay } from "./train-display.js";

interface Options extends RegistryFlags {
  readonly output?: string;
  readonly overwrite?: boolean;
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
  addJsonOption(addRegistryFlags(command));
  addExamples(command, [
    ["bridle reproduce model", "exit code 0 where every bit is the same, 6 where not"],
    ["bridle reproduce model --output again --json", "the same for a program"],
  ]).action((version: string, options: Options) => run(version, options, terminal));
}

async function run(version: string, options: Options, terminal: Terminal): Promise<void> {
  const { reproduce } = await import("../train/reproduce.js");
  const { output, overwrite = false, json } = options;
  const sources = await sourcesOf(options, terminal);
  const display = await openDisplay(terminal);
  const recorded = openRecordedData(terminal);
  const result = await showPreparation(terminal, (downloading) =>
    reproduce(version, {
      ...downloading,
      ...(output !== undefined && { output }),
      overwrite,
      fetchRecorded: recorded.fetchRecorded,
      sources,
      onEvent: display.show,
      onFacts: (facts) => {
        for (const fact of facts) {
          if (!fact.same) terminal.stderr.write(`warning: ${describeFact(fact)}\n`);
        }
      },
    }),
  ).finally(async () => {
    display.close();
    await recorded.remove();
  });
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

const untracked: readonly string[] = [
  "DVC_REPO_NOT_FOUND",
  "DVC_PATH_NOT_TRACKED",
  "DVC_PATH_UNFIT",
];
const notThere: readonly string[] = ["DVC_REMOTE_NOT_SET", "DVC_REMOTE_OBJECT_MISSING"];

/** What brings recorded versions, and how what was laid apart for it is taken away again. */
interface RecordedData {
  readonly fetchRecorded: FetchRecorded;
  remove(): Promise<void>;
}

/**
 * Brings data by the version that is recorded, else by the content where it is versioned by now, else by the version that its
 * .dvc file or dvc.lock names. It goes where it belongs where nothing is and that version is named there, else beside.
 */
function openRecordedData(terminal: Terminal): RecordedData {
  const folders: string[] = [];
  return {
    fetchRecorded: async ({ file, dvc, md5 }) => {
      const [{ pull }, { layApart, makePlaceApart, versionNamed }, { openBlobStore }] =
        await Promise.all([
          import("../data/dvc/pull.js"),
          import("../data/dvc/recorded-version.js"),
          import("../compose.js"),
        ]);
      const bring = async ({ repository, folder, steps, env }: OpenRepository) => {
        const inside = repository.pathOf(file, folder);
        const named = await versionNamed(repository, inside);
        if (named === undefined && dvc === undefined) return undefined;
        // What was versioned later only is known by its content.
        const version = dvc ?? (md5 === undefined ? named : { path: inside, md5 });
        if (version === undefined) return undefined;
        const isNamed = named?.path === version.path && named.md5 === version.md5;
        const options = { ...steps, env };
        if (isNamed && !existsSync(file)) {
          await pull(repository, openBlobStore, { targets: [inside] }, options);
          return existsSync(file) ? { place: file, dvc: version } : undefined;
        }
        const apart = await makePlaceApart(repository);
        folders.push(apart);
        try {
          const place = await layApart(repository, openBlobStore, version, inside, apart, options);
          return place === undefined ? undefined : { place, dvc: version };
        } catch (thrown) {
          // It may never have been versioned.
          const isGuess = dvc === undefined && thrown instanceof BridleError;
          if (isGuess && notThere.includes(thrown.code)) return undefined;
          throw thrown;
        }
      };
      try {
        return await withRepository(terminal, bring, path.dirname(path.resolve(file)));
      } catch (thrown) {
        if (thrown instanceof BridleError && untracked.includes(thrown.code)) return undefined;
        throw thrown;
      }
    },
    async remove() {
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
    },
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
