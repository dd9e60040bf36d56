// `bridle profile`: where the time of training steps and of summaries goes, as tables and as a trace to look at.
import type { Command } from "commander";
import type { ModelDType } from "../config/model-dtypes.js";
import { BridleError } from "../errors/error.js";
import { extractiveModel } from "../summarize/extractive/parameters.js";
import type { Profile } from "../train/profile.js";
import { layOut, shortNumber } from "./columns.js";
import { addDeviceFlag, addGenerateFlags, generateOptionsOf } from "./generate-flags.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import { checkNotInput } from "./output-file.js";
import { showPreparation } from "./preparation-progress.js";
import { openProgress } from "./progress.js";
import { readDocument } from "./read-document.js";
import { addRegistryFlags, type RegistryFlags, sourcesOf } from "./registry-flags.js";
import { splitWords } from "./run-words.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends RegistryFlags {
  readonly trace?: string;
  readonly warmUp: number;
}

interface TrainOptions extends Options {
  readonly steps: number;
}

interface SummarizeOptions extends Options {
  readonly model: string;
  readonly device?: "auto" | "cpu" | "webgpu" | "cuda";
  readonly dtype?: ModelDType;
  readonly threads?: number;
  readonly repeats: number;
}

export function addProfileCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("profile")
    .summary("tell where the time of training steps and of summaries goes")
    .description(
      "Runs a few steps or summaries and tells where their time goes: by phase, by operator, by shape, and how near each " +
        "operator comes to what this machine can do (its roofline, measured on the spot). The trace it writes opens in " +
        "Perfetto (ui.perfetto.dev), chrome://tracing and speedscope; nothing is sent anywhere.",
    );
  addTraining(command, terminal);
  addSummaries(command, terminal);
}

function addTraining(program: Command, terminal: Terminal): void {
  const command = program
    .command("train")
    .summary("a few training steps")
    .description(
      "Trains for a few steps as params.yaml and words say, and tells where their time went. Nothing is evaluated, and the " +
        "run's output is not touched.",
    )
    .argument("[words...]", "a YAML file and key=value words, as `bridle train` takes them")
    .option("--steps <n>", "steps that are measured", wholeNumber("--steps"), 5)
    .option("--warm-up <n>", "steps before them", wholeNumber("--warm-up"), 2);
  addTraceFlag(command);
  addJsonOption(addRegistryFlags(command));
  addExamples(command, [
    ["bridle profile train params.yaml", "five steps, after two to warm up"],
    ["bridle profile train params.yaml train.microBatchTokens=8192", "with larger micro-batches"],
    ["bridle profile train params.yaml --trace steps.json", "a trace to open in Perfetto"],
  ]).action((words: readonly string[], options: TrainOptions) =>
    runTraining(words, options, terminal),
  );
}

function addSummaries(program: Command, terminal: Terminal): void {
  const command = program
    .command("summarize")
    .summary("one document's summary")
    .description(
      "Summarizes a document (txt, md, html, pdf, docx) from FILE or standard input a few times with a neural model, and " +
        "tells where the time went.",
    )
    .argument("[file]", "the document; - for standard input")
    .requiredOption(
      "--model <name>",
      "a folder with a model, a registered version (news:3, news@champion), or an id on the Hugging Face hub",
    )
    .option("--repeats <n>", "summaries that are measured", wholeNumber("--repeats"), 5)
    .option("--warm-up <n>", "summaries before them", wholeNumber("--warm-up"), 2)
    .option("--threads <n>", "threads of one operator", wholeNumber("--threads"));
  addTraceFlag(command);
  addGenerateFlags(addDeviceFlag(command));
  addJsonOption(addRegistryFlags(command));
  addExamples(command, [
    ["bridle profile summarize report.txt --model ./news", "five summaries, after two to warm up"],
    ["bridle profile summarize report.txt --model ./news --dtype int8", "with whole numbers"],
    [
      "bridle profile summarize report.txt --model ./news --trace summary.json",
      "a trace to open in Perfetto",
    ],
  ]).action((file: string | undefined, options: SummarizeOptions) =>
    runSummaries(file, options, terminal),
  );
}

function addTraceFlag(command: Command): void {
  command.option("--trace <file>", "write what happened when, in Chrome's trace format");
}

async function runTraining(
  words: readonly string[],
  { steps, warmUp, trace: file, json, ...flags }: TrainOptions,
  terminal: Terminal,
): Promise<void> {
  const { file: params, overrides } = await splitWords(words, "bridle profile train");
  if (file !== undefined) await checkNotInput({ flag: "--trace", output: file }, [params]);
  const { loadRunConfig } = await import("../config/load.js");
  const { profileTraining } = await import("../train/profile.js");
  const sources = await sourcesOf(flags, terminal);
  const config = await loadRunConfig(params, overrides);
  const progress = await openProgress(terminal, "steps");
  const { trace, ...profile } = await showPreparation(terminal, (downloading) =>
    profileTraining(config, {
      ...{ ...downloading, steps, warmUp, sources },
      onEvent(event) {
        if (event.type !== "step") return;
        const { step: done } = event;
        const items = { items: done, itemsInAll: done };
        progress.update({ done, total: steps + warmUp, ...items });
      },
    }),
  ).finally(() => progress.stop());
  await keepTrace(file, trace);
  if (json) return await printJson(terminal, { ...profile, trace: file ?? null });
  const { device, threads, tokens, meanMs } = profile;
  const head = `${steps} steps of ${shortNumber(Math.round(tokens))} tokens on average, ${shortNumber(Math.round((1000 * tokens) / meanMs))} tokens/s`;
  await printProfile(terminal, profile, `${head}; ${device}, ${threads} threads`, file);
}

async function runSummaries(
  file: string | undefined,
  options: SummarizeOptions,
  terminal: Terminal,
): Promise<void> {
  const { model, device, dtype, threads, repeats, warmUp, trace: traceFile, json } = options;
  if (model === extractiveModel) {
    const problem = "the extractive model has no graph to profile; --model takes a neural one.";
    throw new BridleError("COMMAND_LINE_INVALID", { problem, typed: "bridle profile summarize" });
  }
  if (traceFile !== undefined) await checkNotInput({ flag: "--trace", output: traceFile }, [file]);
  const { text, warnings } = await readDocument(file, terminal, "bridle profile summarize");
  for (const warning of warnings) terminal.stderr.write(`note: ${warning}\n`);
  const { resolveModel } = await import("../compose.js");
  const { profileSummary } = await import("../summarize/profile.js");
  const sources = await sourcesOf(options, terminal);
  const folder = await showPreparation(terminal, (downloading) =>
    resolveModel(model, { needs: ["model", "tokenizer"], sources, ...downloading }),
  );
  const progress = await openProgress(terminal, "summaries");
  const { trace, ...profile } = await profileSummary(folder, text, {
    ...{ repeats, warmUp, signal: terminal.signal, parameters: generateOptionsOf(options) },
    ...(device && { device }),
    ...(dtype && { dtype }),
    ...(threads && { threads }),
    onSummary: (done, total) => progress.update({ done, total, items: done, itemsInAll: done }),
  }).finally(() => progress.stop());
  await keepTrace(traceFile, trace);
  if (json) return await printJson(terminal, { ...profile, trace: traceFile ?? null });
  const { inputTokens, outputTokens } = profile.result.usage;
  const head = `${repeats} summaries of ${inputTokens} tokens in ${outputTokens}`;
  const where = `${profile.device}, ${profile.dtype}, ${profile.threads} threads`;
  await printProfile(terminal, profile, `${head}; ${where}`, traceFile);
}

async function keepTrace(file: string | undefined, lines: readonly string[]): Promise<void> {
  if (file === undefined) return;
  const { writeOutput } = await import("../text/files/write-output.js");
  await writeOutput(file, async (handle) => {
    for (const line of lines) await handle.write(line);
  });
}

const milliseconds = (ms: number) => ms.toFixed(ms < 10 ? 2 : 1);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Rows of the table of operators; the rest weighs little. */
const shownOperators = 15;

async function printProfile(
  terminal: Terminal,
  profile: Profile,
  head: string,
  traceFile: string | undefined,
): Promise<void> {
  const { unit, meanMs, medianMs, phases, operators, hottest, roofs, hints } = profile;
  const billions = (perSecond: number) => shortNumber(Math.round(perSecond / 1e9));
  const whole =
    roofs.wholeFlops === undefined ? "" : `, ${billions(roofs.wholeFlops)} of whole numbers`;
  const rated = (row: Profile["operators"][number]) => [
    ...[percent(row.share), row.gflopsPerSecond > 0 ? row.gflopsPerSecond.toFixed(1) : "–"],
    ...[row.gigabytesPerSecond.toFixed(1), row.boundBy, percent(row.ofRoof)],
  ];
  const sections = [
    [
      head,
      `A ${unit} takes ${milliseconds(meanMs)} ms on average, ${milliseconds(medianMs)} in the middle.`,
      `This machine at its best: ${billions(roofs.flops)} GFLOP/s${whole}, ${(roofs.bytes / 1e9).toFixed(1)} GB/s.`,
    ],
    layOut([
      ["phase", `ms a ${unit}`, "share"],
      ...phases.map(({ phase, ms, share }) => [phase, milliseconds(ms), percent(share)]),
    ]),
    layOut([
      [
        "in",
        "operator",
        "calls",
        `ms a ${unit}`,
        "share",
        "GFLOP/s",
        "GB/s",
        "bound by",
        "of roof",
      ],
      ...operators
        .slice(0, shownOperators)
        .map((row) => [
          ...[row.session, row.op, shortNumber(row.calls), milliseconds(row.ms)],
          ...rated(row),
        ]),
    ]),
    layOut([
      [
        "in",
        "operator",
        `ms a ${unit}`,
        "share",
        "GFLOP/s",
        "GB/s",
        "bound by",
        "of roof",
        "shapes",
      ],
      ...hottest.map((row) => [
        ...[row.session, row.op, milliseconds(row.ms)],
        ...rated(row),
        row.shapes,
      ]),
    ]),
    hints.length === 0 ? [] : ["What stands out:", ...hints.map((hint) => `- ${hint}`)],
    traceFile === undefined
      ? ["--trace FILE writes what happened when, for Perfetto, chrome://tracing and speedscope."]
      : [
          `The trace is in ${traceFile}: open it in ui.perfetto.dev, chrome://tracing or speedscope.`,
        ],
  ];
  const text = sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n");
  await printLine(terminal, text);
}
