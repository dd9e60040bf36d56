// Suites that make homes of their own, run again with their rows in PostgreSQL; each by itself keeps them in SQLite.
import { afterAll, beforeAll, describe, expect } from "vitest";
import { hasPostgres, type PostgresServer, startPostgres } from "../support/postgres.js";
import { useDatabases } from "../support/suite-database.js";

describe.skipIf(!hasPostgres)("on postgres", () => {
  let server: PostgresServer;
  let made = 0;
  beforeAll(async () => {
    server = await startPostgres();
    useDatabases(() => {
      made += 1;
      return server.createSchema();
    });
  });
  afterAll(async () => {
    await server?.close();
    expect(made).toBeGreaterThan(0);
  });

  describe("runs over HTTP", () => import("./runs-http.test.js").then(() => {}));
  describe("the registry over HTTP", () => import("./registry-http.test.js").then(() => {}));
  describe("served aliases", () => import("./served-alias.test.js").then(() => {}));
  describe("recorded trainings", () => import("./record-training.test.js").then(() => {}));
  describe("imports", () => import("./run-import.test.js").then(() => {}));
});
