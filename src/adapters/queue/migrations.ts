// The schema of the local queue: one table of jobs.
import type { MigrationSet } from "../../ports/database.js";

export const queueMigrations: MigrationSet = {
  component: "queue",
  tables: ["queue_job"],
  migrations: [
    {
      name: "jobs with leases",
      statements: [
        `CREATE TABLE queue_job (
          sequence INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          queue TEXT NOT NULL,
          payload TEXT NOT NULL,
          priority INTEGER NOT NULL,
          state TEXT NOT NULL,
          attempt INTEGER NOT NULL,
          max_attempts INTEGER NOT NULL,
          backoff_ms INTEGER NOT NULL,
          run_at_ms INTEGER NOT NULL,
          lease TEXT,
          lease_until_ms INTEGER,
          cancel_asked INTEGER NOT NULL,
          error TEXT,
          enqueued_at_ms INTEGER NOT NULL,
          ended_at_ms INTEGER
        ) STRICT`,
        "CREATE INDEX queue_job_next ON queue_job (queue, state, priority, sequence)",
        "CREATE INDEX queue_job_ended ON queue_job (ended_at_ms)",
      ],
    },
  ],
};
