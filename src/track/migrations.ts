// The tables of tracking: experiments, their runs, and what each run told.
import type { MigrationSet } from "../ports/database.js";

export const trackMigrations: MigrationSet = {
  component: "track",
  tables: [
    "track_experiment",
    "track_run",
    "track_param",
    "track_tag",
    "track_series",
    "track_point",
    "track_bin",
    "track_line",
    "track_artifact",
  ],
  migrations: [
    {
      name: "experiments, runs and what they tell",
      statements: [
        `CREATE TABLE track_experiment (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          name TEXT NOT NULL UNIQUE,
          created_at INTEGER NOT NULL
        ) STRICT`,
        `CREATE TABLE track_run (
          id TEXT PRIMARY KEY,
          experiment_id INTEGER NOT NULL REFERENCES track_experiment (id),
          name TEXT NOT NULL,
          status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'failed', 'stopped', 'interrupted')),
          source TEXT NOT NULL,
          started_at INTEGER NOT NULL,
          ended_at INTEGER,
          alive_at INTEGER NOT NULL,
          host TEXT NOT NULL,
          pid INTEGER NOT NULL,
          output TEXT NOT NULL,
          config_sha256 TEXT NOT NULL,
          code_commit TEXT NOT NULL,
          parent TEXT NOT NULL,
          error TEXT NOT NULL,
          changed_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID`,
        "CREATE INDEX track_run_experiment ON track_run (experiment_id, started_at)",
        "CREATE INDEX track_run_started ON track_run (started_at)",
        "CREATE INDEX track_run_status ON track_run (status)",
        "CREATE INDEX track_run_output ON track_run (output, config_sha256)",
        "CREATE INDEX track_run_changed ON track_run (changed_at)",
        // The number beside the text is what it is compared and sorted by where it is one.
        `CREATE TABLE track_param (
          run_id TEXT NOT NULL REFERENCES track_run (id) ON DELETE CASCADE,
          key TEXT NOT NULL,
          value TEXT NOT NULL,
          number REAL,
          PRIMARY KEY (run_id, key)
        ) STRICT, WITHOUT ROWID`,
        `CREATE TABLE track_tag (
          run_id TEXT NOT NULL REFERENCES track_run (id) ON DELETE CASCADE,
          key TEXT NOT NULL,
          value TEXT NOT NULL,
          PRIMARY KEY (run_id, key)
        ) STRICT, WITHOUT ROWID`,
        // A metric of a run, with what tables of runs show of it.
        `CREATE TABLE track_series (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          run_id TEXT NOT NULL REFERENCES track_run (id) ON DELETE CASCADE,
          key TEXT NOT NULL,
          count INTEGER NOT NULL DEFAULT 0,
          last_step INTEGER,
          last_value REAL,
          min_value REAL,
          max_value REAL,
          UNIQUE (run_id, key)
        ) STRICT`,
        // By series and step on the disk, so that a chart reads neighbours. NULL is NaN.
        `CREATE TABLE track_point (
          series_id INTEGER NOT NULL,
          step INTEGER NOT NULL,
          epoch REAL,
          at INTEGER NOT NULL,
          value REAL,
          PRIMARY KEY (series_id, step)
        ) STRICT, WITHOUT ROWID`,
        // Points gathered by 64 steps (level 1), 64 × 64 (level 2), …: what charts of long runs are drawn from.
        `CREATE TABLE track_bin (
          series_id INTEGER NOT NULL,
          level INTEGER NOT NULL,
          bin INTEGER NOT NULL,
          first_step INTEGER NOT NULL,
          last_step INTEGER NOT NULL,
          last_epoch REAL,
          last_at INTEGER NOT NULL,
          count INTEGER NOT NULL,
          finite_count INTEGER NOT NULL,
          total REAL NOT NULL,
          min_value REAL,
          max_value REAL,
          PRIMARY KEY (series_id, level, bin)
        ) STRICT, WITHOUT ROWID`,
        `CREATE TABLE track_line (
          run_id TEXT NOT NULL,
          number INTEGER NOT NULL,
          at INTEGER NOT NULL,
          level TEXT NOT NULL,
          text TEXT NOT NULL,
          PRIMARY KEY (run_id, number)
        ) STRICT, WITHOUT ROWID`,
        `CREATE TABLE track_artifact (
          run_id TEXT NOT NULL REFERENCES track_run (id) ON DELETE CASCADE,
          name TEXT NOT NULL,
          sha256 TEXT NOT NULL,
          size_bytes INTEGER NOT NULL,
          media_type TEXT NOT NULL,
          blob TEXT NOT NULL,
          uri TEXT NOT NULL,
          at INTEGER NOT NULL,
          PRIMARY KEY (run_id, name)
        ) STRICT, WITHOUT ROWID`,
      ],
    },
    {
      // Several processes in turn may tell of one run, and what they told may come late.
      name: "which process took a run up last, when, and after which step",
      statements: [
        "ALTER TABLE track_run ADD COLUMN process_mark TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE track_run ADD COLUMN taken_up_at INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE track_run ADD COLUMN from_step INTEGER NOT NULL DEFAULT 9007199254740991",
      ],
    },
  ],
};
