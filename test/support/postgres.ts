// The PostgreSQL server that tests start; scripts start the same.
export type { PostgresServer } from "../../scripts/postgres.mjs";
export { hasPostgres, startPostgres } from "../../scripts/postgres.mjs";
