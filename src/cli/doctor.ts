// `bridle doctor`: checks that Bridle can work here, and says for each thing that is amiss what to do next.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import { addRegistryFlags, type RegistryFlags } from "./registry-flags.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends RegistryFlags {
  readonly port?: number;
}

const marks = { ok: "ok  ", warn: "warn", fail: "FAIL" } as const;

export function addDoctorCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("doctor")
    .summary("check the set-up")
    .description(
      "Checks Node, the machine, the installation, the port, write access, threads, and makes a real summary. " +
        "Ends with exit code 8 if something fails; a warning does not fail it.",
    )
    .option(
      "--port <n>",
      "port to look at (default: $PORT, else 8000)",
      wholeNumber("--port", 0, 65_535),
    );
  addJsonOption(addRegistryFlags(command));
  addExamples(command, [
    ["bridle doctor", "check everything"],
    ["bridle doctor --json", "the same for a program or a report"],
    ["bridle doctor --db postgres://user@host/bridle", "with a team's runs and registry"],
  ]).action((options: Options) => run(options, terminal));
}

async function run(options: Options, terminal: Terminal): Promise<void> {
  const { runChecks } = await import("./doctor-checks.js");
  const checks = [];
  const { db, store } = options;
  const env = {
    ...terminal.env,
    ...(db !== undefined && { BRIDLE_DB: db }),
    ...(store !== undefined && { BRIDLE_STORE: store }),
  };
  for await (const check of runChecks({ port: options.port, env })) {
    checks.push(check);
    if (options.json) continue;
    await printLine(terminal, `${marks[check.status]}  ${check.name}: ${check.message}`);
    if (check.next !== undefined) await printLine(terminal, `      → ${check.next}`);
  }
  const failed = checks.filter(({ status }) => status === "fail");
  if (options.json) await printJson(terminal, { ok: failed.length === 0, checks });
  if (failed.length === 0) return;
  const names = failed.map(({ name }) => name).join(", ");
  throw markTold(new BridleError("DOCTOR_FAILED", { count: failed.length, names }));
}
