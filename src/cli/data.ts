// `bridle data`: the parent of the commands that check, split and version data.
import type { Command } from "commander";
import { addDataAddCommand } from "./data-add.js";
import { addDataCheckCommand, addDataStatsCommand } from "./data-check.js";
import { addDataCheckoutCommand } from "./data-checkout.js";
import { addDataCommitCommand } from "./data-commit.js";
import { addDataDiffCommand } from "./data-diff.js";
import { addDataFetchCommand } from "./data-fetch.js";
import { addDataGcCommand } from "./data-gc.js";
import { addDataInitCommand } from "./data-init.js";
import { addDataPullCommand } from "./data-pull.js";
import { addDataPushCommand } from "./data-push.js";
import { addDataRemoteCommand } from "./data-remote.js";
import { addDataShowCommand } from "./data-show.js";
import { addDataSplitCommand } from "./data-split.js";
import { addDataStagesCommand } from "./data-stages.js";
import { addDataStatusCommand } from "./data-status.js";
import type { Terminal } from "./terminal.js";

export function addDataCommand(program: Command, terminal: Terminal): void {
  const data = program
    .command("data")
    .summary("check, describe, split and version data")
    .description(
      "Checks data before a model learns from it, describes it, and splits it without leakage; versions data and models " +
        "beside Git, in the files, cache and remotes of DVC: both can work on one repository.",
    );
  addDataCheckCommand(data, terminal);
  addDataStatsCommand(data, terminal);
  addDataSplitCommand(data, terminal);
  addDataInitCommand(data, terminal);
  addDataAddCommand(data, terminal);
  addDataStatusCommand(data, terminal);
  addDataDiffCommand(data, terminal);
  addDataShowCommand(data, terminal);
  addDataStagesCommand(data, terminal);
  addDataCheckoutCommand(data, terminal);
  addDataCommitCommand(data, terminal);
  addDataPushCommand(data, terminal);
  addDataFetchCommand(data, terminal);
  addDataPullCommand(data, terminal);
  addDataGcCommand(data, terminal);
  addDataRemoteCommand(data, terminal);
}
