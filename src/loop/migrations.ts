// The schema of sweeps: what was asked for, each trial, and what trials reported on the way.
import type { MigrationSet } from "../ports/database.js";

export const sweepMigrations: MigrationSet = {
  component: "sweep",
  tables: ["sweep", "sweep_trial", "sweep_report", "sweep_worker"],
  migrations: [
    {
      name: "sweeps, trials and reports",
      statements: [
        `CREATE TABLE sweep (
          name TEXT PRIMARY KEY,
          plan TEXT NOT NULL,
          plan_sha256 TEXT NOT NULL,
          folder TEXT NOT NULL,
          state TEXT NOT NULL,
          began_at_ms INTEGER NOT NULL,
          ended_at_ms INTEGER
        ) STRICT`,
        `CREATE TABLE sweep_trial (
          sweep TEXT NOT NULL,
          number INTEGER NOT NULL,
          parameters TEXT NOT NULL,
          config TEXT NOT NULL,
          state TEXT NOT NULL,
          value REAL,
          step INTEGER,
          evaluation TEXT,
          error_code TEXT,
          error TEXT,
          run_id TEXT,
          began_at_ms INTEGER,
          ended_at_ms INTEGER,
          PRIMARY KEY (sweep, number)
        ) STRICT`,
        `CREATE TABLE sweep_report (
          sweep TEXT NOT NULL,
          number INTEGER NOT NULL,
          step INTEGER NOT NULL,
          value REAL,
          PRIMARY KEY (sweep, number, step)
        ) STRICT`,
      ],
    },
    {
      name: "signs of life",
      statements: ["ALTER TABLE sweep ADD COLUMN alive_at_ms INTEGER"],
    },
    {
      name: "who works on a sweep, ends that are decided, processes that were lost",
      statements: [
        `CREATE TABLE sweep_worker (
          sweep TEXT NOT NULL,
          id TEXT NOT NULL,
          host TEXT NOT NULL,
          pid INTEGER NOT NULL,
          start TEXT,
          trials INTEGER NOT NULL,
          sign INTEGER NOT NULL,
          alive_at_ms INTEGER NOT NULL,
          PRIMARY KEY (sweep, id)
        ) STRICT`,
        "ALTER TABLE sweep_trial ADD COLUMN decided TEXT",
        "ALTER TABLE sweep_trial ADD COLUMN losses INTEGER NOT NULL DEFAULT 0",
      ],
    },
  ],
};
