// `bridle serve`: the HTTP API and the page, until it is told to stop.
import type { Command } from "commander";
import { extractiveModel } from "../summarize/extractive/parameters.js";
import { beginThreadEarly, endEarlyThread } from "../summarize/neural-thread.js";
import { isWholeNumbers } from "./early-thread.js";
import { addExamples, addJsonOption } from "./options.js";
import { logPreparation } from "./preparation-progress.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

/**
 * Adds the command.
 * @param wanted whether its options are needed; they come with a schema library that other commands need not load
 */
export async function addServeCommand(
  program: Command,
  terminal: Terminal,
  wanted: boolean,
): Promise<void> {
  const command = program
    .command("serve")
    .summary("serve the HTTP API and the page")
    .description(
      "Serves the API (/bert, /bert-file/, /v1/summaries, …; see /docs) and the page at /, until SIGINT or " +
        "SIGTERM; requests in flight are then finished. Options count before the environment.",
    );
  if (!wanted) return;
  const { givenFields, serveOptions } = await import("./serve-options.js");
  for (const { option } of serveOptions) command.addOption(option);
  addJsonOption(command);
  addExamples(command, [
    ["bridle serve", "on http://127.0.0.1:8000, for this machine only"],
    ["bridle serve --port 9000 --log-format json", "another port, logs for machines"],
    [
      "bridle serve --model google/pegasus-xsum",
      "a model of the Hugging Face hub, downloaded once",
    ],
    [
      "bridle serve --workers 4 --model ./news --dtype int8",
      "four processes behind one port, which have the model's weights in memory once",
    ],
    ["BRIDLE_API_KEYS=secret bridle serve --host 0.0.0.0", "for the network, with a key"],
  ]).action((parsed: Record<string, unknown>) =>
    run(givenFields(parsed), parsed.json === true, terminal),
  );
}

async function run(
  given: Record<string, unknown>,
  asJson: boolean,
  terminal: Terminal,
): Promise<void> {
  const { resolveServeConfig } = await import("../config/serve-config.js");
  const config = resolveServeConfig(given, terminal.env);
  const lives = config.workers === 1 && config.models.some((model) => model !== extractiveModel);
  if (lives) beginThreadEarly(isWholeNumbers(config.dtype));
  else void endEarlyThread();
  const { compose } = await import("../compose.js");
  let onOpening = () => {};
  const begun = new Promise<void>((resolve) => {
    onOpening = resolve;
  });
  const opening = logPreparation(config, terminal, async (preparing) => {
    if (config.workers === 1) return await compose(config, { ...preparing, onOpening });
    const { openProcesses } = await import("../server/processes/open-processes.js");
    return await openProcesses(config, preparing);
  });
  // Loading the server's code takes as long as models take to open, which is work of other threads once those have begun.
  const loading = (config.workers === 1 ? Promise.race([begun, opening]) : Promise.resolve()).then(
    () => import("../server/server.js"),
  );
  const [service, { startServer }] = await Promise.all([opening, loading]).catch(async (thrown) => {
    await opening.then(
      (opened) => opened.close(),
      () => {},
    );
    throw thrown;
  });
  try {
    // Told to stop before there was anything to stop.
    if (terminal.signal.aborted) return;
    const server = await startServer(config, service);
    const stopped = new Promise<void>((resolve) => {
      if (terminal.signal.aborted) resolve();
      terminal.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    if (asJson) await printJson(terminal, { listening: server.url });
    else await printLine(terminal, `Bridle is listening on ${server.url}`);
    try {
      // Models that cannot be loaded end the command; else it waits to be stopped.
      await Promise.race([stopped, server.ready.then(() => stopped)]);
    } finally {
      await server.close();
    }
  } finally {
    await service.close();
  }
}
