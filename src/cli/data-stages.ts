// `bridle data stages`: the stages of dvc.yaml, what each needs and makes, and whether it is as it was.
import type { Command } from "commander";
import type { Stage } from "../data/dvc/output.js";
import type { StageStatus } from "../data/dvc/status.js";
import { withRepository } from "./data-repository.js";
import { linesOf } from "./data-status.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal, write } from "./terminal.js";

interface Options {
  readonly dot?: boolean;
  readonly json?: boolean;
}

export function addDataStagesCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("stages")
    .summary("list the stages of dvc.yaml with their state")
    .description(
      "Lists the stages of every dvc.yaml, with vars, foreach, matrix and variables filled in, in the order they run in: " +
        "command, dependencies, parameters, outputs, and what has changed since dvc.lock was written. Running them is " +
        "left to `dvc repro`, or to you and `bridle data commit`.",
    )
    .option("--dot", "print the graph of stages and .dvc files, as `dvc dag --dot` does");
  addJsonOption(command);
  addExamples(command, [
    ["bridle data stages", "what there is, and what would have to run again"],
    ["bridle data stages --dot | dot -Tsvg > stages.svg", "a picture of what needs what"],
  ]).action((options: Options) => run(options, terminal));
}

interface Shown {
  readonly stage: string;
  readonly command: unknown;
  readonly dependencies: readonly string[];
  /** Names by file; empty for all of it. */
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly outputs: readonly string[];
  readonly metrics: readonly string[];
  readonly plots: readonly string[];
  readonly isFrozen: boolean;
  readonly status: StageStatus;
}

async function run({ dot, json }: Options, terminal: Terminal): Promise<void> {
  const [{ dotText, runOrder }, { status }] = await Promise.all([
    import("../data/dvc/stage-graph.js"),
    import("../data/dvc/status.js"),
  ]);
  if (dot) {
    const text = await withRepository(terminal, async ({ repository }) =>
      dotText(await repository.stages()),
    );
    if (json) await printJson(terminal, { dot: text });
    else await write(terminal.stdout, text);
    return;
  }
  const shown = await withRepository(terminal, async ({ repository, steps }) => {
    const told = await status(repository, {}, steps);
    const stages = runOrder(await repository.stages()).filter(({ name }) => name !== undefined);
    return stages.map((stage) => describe(stage, told[stage.address] ?? []));
  });
  if (json) {
    await printJson(terminal, { stages: shown });
    return;
  }
  if (shown.length === 0) await printLine(terminal, "There is no dvc.yaml with stages here.");
  for (const each of shown) await print(each, terminal);
}

function describe(stage: Stage, status: StageStatus): Shown {
  const pathsOf = (outputs: Stage["outputs"]) =>
    outputs.map(({ path, definedPath }) => path ?? definedPath);
  const { outputs, dependencies, params, isFrozen, address, command } = stage;
  return {
    stage: address,
    command,
    dependencies: pathsOf(dependencies),
    params: Object.fromEntries(
      params.map(({ path, definedPath, names }) => [path ?? definedPath, names]),
    ),
    outputs: pathsOf(outputs.filter(({ isMetric, isPlot }) => !isMetric && !isPlot)),
    metrics: pathsOf(outputs.filter(({ isMetric }) => isMetric)),
    plots: pathsOf(outputs.filter(({ isPlot }) => isPlot)),
    isFrozen,
    status,
  };
}

async function print(shown: Shown, terminal: Terminal): Promise<void> {
  const state = shown.status.length === 0 ? "as it was" : "changed";
  await printLine(terminal, `${shown.stage}: ${state}${shown.isFrozen ? ", frozen" : ""}`);
  for (const line of [shown.command ?? []].flat()) await printLine(terminal, `  $ ${line}`);
  const params = Object.entries(shown.params).map(([file, names]) =>
    names.length === 0 ? file : `${file} (${names.join(", ")})`,
  );
  const rows = { needs: [...shown.dependencies, ...params], makes: shown.outputs };
  for (const [what, paths] of Object.entries({
    ...rows,
    metrics: shown.metrics,
    plots: shown.plots,
  })) {
    if (paths.length > 0) await printLine(terminal, `  ${what}: ${paths.join(", ")}`);
  }
  for (const line of linesOf(shown.status)) await printLine(terminal, `  ${line}`);
}
