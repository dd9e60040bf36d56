// A throw-away PostgreSQL cluster on loopback, run by a user who is not root: a test file's, or a script's.
// @ts-check
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";

const debianFolder = "/usr/lib/postgresql";

/** The folder of initdb and postgres: on the PATH, or where Debian puts them. @returns {string | undefined} */
function findBinaries() {
  const debian = existsSync(debianFolder)
    ? readdirSync(debianFolder)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => path.join(debianFolder, version, "bin"))
    : [];
  const folders = [...(process.env.PATH ?? "").split(path.delimiter), ...debian];
  return folders.find((folder) =>
    ["initdb", "postgres"].every((name) => existsSync(path.join(folder, name))),
  );
}

const binaries = process.platform === "win32" ? undefined : findBinaries();

/** Whether a server can be started here. Where BRIDLE_EXPECT_POSTGRES is 1, as in .ci/run, it must. */
export const hasPostgres = binaries !== undefined || process.env.BRIDLE_EXPECT_POSTGRES === "1";

/**
 * @typedef {object} PostgresServer
 * @property {() => Promise<string>} createSchema makes an empty schema, which is quicker than a database and as good; a URL that
 *   leads to it
 * @property {() => Promise<void>} dropConnections ends every connection to a database, as a server that restarts does
 * @property {() => Promise<void>} close
 */

/**
 * Root may not run PostgreSQL; Debian's packages make a user for it, and nobody is everywhere.
 * @returns {{uid: number, gid: number} | undefined}
 */
function serverUser() {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      /** @param {string} flag */
      const id = (flag) =>
        Number(execFileSync("id", [flag, name], { stdio: ["ignore", "pipe", "ignore"] }));
      return { uid: id("-u"), gid: id("-g") };
    } catch {}
  }
  return undefined;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/** @returns {Promise<PostgresServer>} */
export async function startPostgres() {
  if (binaries === undefined) throw new Error("there is no initdb and postgres here");
  const user = serverUser();
  const root = mkdtempSync(path.join(tmpdir(), "bridle-postgres-"));
  if (user) chownSync(root, user.uid, user.gid);
  const folder = path.join(root, "data");
  const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en"];
  // An order of its own for texts, so that what depends on byte order is found out.
  execFileSync(
    path.join(binaries, "initdb"),
    ["-D", folder, "-U", "bridle", "--auth=trust", "--no-sync", ...locale],
    { ...user, cwd: root, stdio: ["ignore", "ignore", "pipe"] },
  );
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    fsync: "off",
    max_connections: "60",
  };
  const child = spawn(
    path.join(binaries, "postgres"),
    [
      "-D",
      folder,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    { ...user, cwd: root, stdio: ["ignore", "ignore", "pipe"] },
  );
  const end = () => child.kill("SIGQUIT");
  process.once("exit", end);
  let told = "";
  child.stderr?.on("data", (chunk) => (told += String(chunk)));
  const url = `postgres://bridle@127.0.0.1:${port}/postgres`;
  /** @param {string} sql */
  const ask = async (sql) => {
    const client = new pg.Client(url);
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  for (;;) {
    if (child.exitCode !== null) throw new Error(`postgres ended: ${told}`);
    try {
      await ask("SELECT 1");
      break;
    } catch {
      await wait(50);
    }
  }
  let made = 0;
  return {
    async createSchema() {
      const name = `made_${++made}`;
      await ask(`CREATE SCHEMA ${name}`);
      return `${url}?options=${encodeURIComponent(`-c search_path=${name}`)}`;
    },
    async dropConnections() {
      await ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bridle'",
      );
    },
    async close() {
      const ended = once(child, "exit");
      process.removeListener("exit", end);
      // Immediate: nothing is to be kept.
      end();
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}
