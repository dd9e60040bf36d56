// The registry's tables: models, their versions, the moves of their aliases, evaluations, gates, and packages in the store.
import type { MigrationSet } from "../ports/database.js";

export const registryMigrations: MigrationSet = {
  component: "registry",
  tables: [
    "registry_evaluation",
    "registry_gates",
    "registry_model",
    "registry_move",
    "registry_package",
    "registry_version",
  ],
  migrations: [
    {
      name: "models, versions and the moves of aliases",
      statements: [
        `CREATE TABLE registry_model (
          name TEXT PRIMARY KEY,
          last_version INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          created_by TEXT NOT NULL
        ) STRICT`,
        `CREATE TABLE registry_version (
          model TEXT NOT NULL,
          version INTEGER NOT NULL,
          digest TEXT NOT NULL,
          parent_digest TEXT,
          size_bytes INTEGER NOT NULL,
          card TEXT NOT NULL,
          data_objects TEXT NOT NULL,
          note TEXT,
          created_at INTEGER NOT NULL,
          created_by TEXT NOT NULL,
          collected_at INTEGER,
          PRIMARY KEY (model, version)
        ) STRICT`,
        "CREATE INDEX registry_version_digest ON registry_version (digest)",
        "CREATE INDEX registry_version_parent ON registry_version (parent_digest)",
        `CREATE TABLE registry_move (
          model TEXT NOT NULL,
          alias TEXT NOT NULL,
          move INTEGER NOT NULL,
          version INTEGER NOT NULL,
          previous INTEGER,
          action TEXT NOT NULL,
          forced INTEGER NOT NULL,
          reason TEXT,
          gates TEXT NOT NULL,
          moved_at INTEGER NOT NULL,
          moved_by TEXT NOT NULL,
          PRIMARY KEY (model, alias, move)
        ) STRICT`,
        `CREATE TABLE registry_evaluation (
          model TEXT NOT NULL,
          version INTEGER NOT NULL,
          number INTEGER NOT NULL,
          record TEXT NOT NULL,
          created_at INTEGER NOT NULL,
          created_by TEXT NOT NULL,
          PRIMARY KEY (model, version, number)
        ) STRICT`,
        `CREATE TABLE registry_gates (
          model TEXT NOT NULL,
          number INTEGER NOT NULL,
          gates TEXT NOT NULL,
          created_at INTEGER NOT NULL,
          created_by TEXT NOT NULL,
          PRIMARY KEY (model, number)
        ) STRICT`,
        `CREATE TABLE registry_package (
          digest TEXT PRIMARY KEY,
          state TEXT NOT NULL,
          claimed_until INTEGER NOT NULL
        ) STRICT`,
      ],
    },
  ],
};
