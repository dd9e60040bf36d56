// `bridle runs`: looks at what training runs told.
import type { Command } from "commander";
import { addRunsCompareCommand } from "./runs-compare.js";
import { addRunsExportCommand } from "./runs-export.js";
import { addRunsImportCommand } from "./runs-import.js";
import { addRunsListCommand } from "./runs-list.js";
import { addRunsShowCommand } from "./runs-show.js";
import { addRunsSyncCommand } from "./runs-sync.js";
import type { Terminal } from "./terminal.js";

export function addRunsCommand(program: Command, terminal: Terminal): void {
  const runs = program
    .command("runs")
    .summary("look at recorded runs")
    .description(
      "Lists, shows, compares and exports the runs that `bridle train` recorded, tells other trackers of them, and imports theirs.",
    );
  addRunsListCommand(runs, terminal);
  addRunsShowCommand(runs, terminal);
  addRunsCompareCommand(runs, terminal);
  addRunsExportCommand(runs, terminal);
  addRunsSyncCommand(runs, terminal);
  addRunsImportCommand(runs, terminal);
}
