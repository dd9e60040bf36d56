// The schema of durable batches: what was asked for, and each document with its answer.
import type { MigrationSet } from "../../ports/database.js";

export const batchMigrations: MigrationSet = {
  component: "batch",
  tables: ["batch", "batch_document"],
  migrations: [
    {
      name: "batches and their documents",
      statements: [
        `CREATE TABLE batch (
          id TEXT PRIMARY KEY,
          model TEXT NOT NULL,
          owner TEXT NOT NULL,
          state TEXT NOT NULL,
          documents INTEGER NOT NULL,
          created_at_ms INTEGER NOT NULL,
          began_at_ms INTEGER,
          ended_at_ms INTEGER
        ) STRICT`,
        `CREATE TABLE batch_document (
          batch TEXT NOT NULL,
          line INTEGER NOT NULL,
          own_id TEXT,
          document TEXT NOT NULL,
          parameters TEXT NOT NULL,
          state TEXT NOT NULL,
          losses INTEGER NOT NULL,
          answer TEXT,
          PRIMARY KEY (batch, line)
        ) STRICT`,
        "CREATE INDEX batch_document_state ON batch_document (batch, state, line)",
      ],
    },
  ],
};
