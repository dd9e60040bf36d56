// Joins the files of what is started often: a module by itself takes Node longer to find, open and link than to run.
// @ts-check

import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/**
 * Programs and threads, as files of dist/. Where several chunks are named, each holds the modules its pattern meets with all they need;
 * what is needed seldom stays in chunks that are loaded then.
 * @typedef {object} Program
 * @property {string} entry
 * @property {readonly {readonly name: string, readonly test: RegExp}[]} [groups]
 * @type {readonly Program[]}
 */
const programs = [
  {
    entry: "cli/serve-start.js",
    groups: [
      { name: "early", test: /^cli\/early-thread\.js$/ },
      {
        name: "begin",
        test: /^(cli\/(program|serve|serve-options|preparation-progress)|compose|model\/resolve-model|summarize\/(neural|create-summarizer))\.js$/,
      },
      { name: "server", test: /^(server\/|text\/files\/reader\.js|data\/project-data\.js)/ },
    ],
  },
  { entry: "summarize/neural-worker.js" },
  { entry: "runtime/session-worker.js" },
  { entry: "summarize/extractive-worker.js" },
];

/** Commands other than `serve`, which stay as they are. @param {string} source @param {string | undefined} importer */
const isOtherCommand = (source, importer) =>
  importer !== undefined && /[\\/]cli[\\/]program\.js$/.test(importer) && source !== "./serve.js";

/**
 * Packages whose code is joined with Bridle's: they have many files and look for none beside them. Their licences go into the
 * package with them.
 */
const joined = new Set([
  "@asteasolutions/zod-to-openapi",
  "@hono/node-server",
  "@hono/zod-openapi",
  "@hono/zod-validator",
  "@opentelemetry/api",
  "bintrees",
  "commander",
  "hono",
  "lru-cache",
  "prom-client",
  "tdigest",
  "tinyqueue",
  "yaml",
  "zod",
]);

/**
 * CommonJS packages that stay in node_modules, since they look for files beside them or are not always there. They are required:
 * Node reads the whole of one that is imported for the names it exports, and has that reading compiled, which takes longer than all else.
 */
const required = new Set([
  "chardet",
  "ignore",
  "iconv-lite",
  "pino",
  "piscina",
  "write-file-atomic",
  "yauzl",
]);
const requiredPrefix = "required:";

/** A module that requires a package, with the names it has; as an import, its default is all of it. @param {string} name @param {string} root */
function requiring(name, root) {
  const found = createRequire(path.join(root, "package.json"))(name);
  const names = Object.getOwnPropertyNames(found).filter(
    (one) => /^[\w$]+$/.test(one) && one !== "default",
  );
  return [
    'import { createRequire } from "node:module";',
    `const found = createRequire(import.meta.url)(${JSON.stringify(name)});`,
    "export default found;",
    ...names.map((one) => `const own_${one} = found.${one};\nexport { own_${one} as ${one} };`),
  ].join("\n");
}

/** Name of the package that a file in node_modules belongs to. @param {string} file */
function packageOf(file) {
  const after = file.split(/[\\/]node_modules[\\/]/).at(-1) ?? "";
  const [first = "", second = ""] = after.split(/[\\/]/);
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** Whether an import is left to Node. @param {string} id */
function isExternal(id) {
  if (id.startsWith(".") || path.isAbsolute(id) || id.startsWith(requiredPrefix)) return false;
  if (required.has(id)) return false;
  const [first = "", second = ""] = id.split("/");
  return !joined.has(first.startsWith("@") ? `${first}/${second}` : first);
}

/** A path with forward slashes. @param {string} file */
const posix = (file) => file.replaceAll("\\", "/");

/**
 * Joins the programs of a folder of compiled files, in the place of their own first file.
 * @param {string} dist
 * @param {string} root the checkout, with node_modules
 */
export async function bundle(dist, root) {
  // As the bundler names files, links followed.
  dist = realpathSync(dist);
  // A checkout without any of them has nothing to join, nor perhaps what joins.
  if (!programs.some(({ entry }) => existsSync(path.join(dist, entry)))) return;
  const { rolldown } = await import("rolldown");
  /** @type {Set<string>} */
  const packages = new Set();
  for (const { entry, groups } of programs) {
    if (!existsSync(path.join(dist, entry))) continue;
    const folder = path.dirname(path.join(dist, entry));
    const joining = await rolldown({
      input: { [path.basename(entry, ".js")]: path.join(dist, entry) },
      cwd: dist,
      platform: "node",
      external: isExternal,
      plugins: [
        {
          name: "places",
          load: (id) =>
            id.startsWith(requiredPrefix) ? requiring(id.slice(requiredPrefix.length), root) : null,
          transform: (code, id) => keepPlaces(code, id, dist, folder),
          resolveId(source, importer, { kind }) {
            if (required.has(source)) return `${requiredPrefix}${source}`;
            // Its words in fifty languages, of which it speaks English unless told.
            if (source === "../locales/index.js" && /[\\/]zod[\\/]/.test(importer ?? ""))
              return this.resolve("../locales/en.js", importer);
            if (kind !== "dynamic-import" || !isOtherCommand(source, importer)) return null;
            return { id: source, external: true };
          },
        },
      ],
      onLog(level, log, tell) {
        // Where a chunk was asked for, a module that others load later is in it already.
        if (log.code !== "INEFFECTIVE_DYNAMIC_IMPORT") tell(level, log);
      },
    });
    const { output } = await joining.write({
      dir: folder,
      format: "esm",
      comments: { legal: true, annotation: false, jsdoc: false },
      entryFileNames: "[name].js",
      chunkFileNames: `${path.basename(entry, ".js")}-[name]-[hash].js`,
      codeSplitting:
        groups === undefined
          ? false
          : {
              groups: groups.map(({ name, test }, before) => ({
                name,
                test: (/** @type {string} */ id) => test.test(posix(path.relative(dist, id))),
                priority: groups.length - before,
                includeDependenciesRecursively: true,
              })),
            },
    });
    await joining.close();
    // It tells lines that are no longer there.
    rmSync(path.join(dist, `${entry}.map`), { force: true });
    for (const chunk of output) {
      for (const id of chunk.type === "chunk" ? chunk.moduleIds : []) {
        if (/[\\/]node_modules[\\/]/.test(id)) packages.add(packageOf(id));
      }
    }
  }
  writeFileSync(
    path.join(dist, "THIRD-PARTY-LICENSES.txt"),
    [...packages]
      .sort()
      .map((name) => licenceOf(name, root))
      .join(`\n${"-".repeat(80)}\n\n`),
  );
}

/**
 * Files are looked for beside the module that names them, which is in another place once it is joined.
 * @param {string} code @param {string} id @param {string} dist @param {string} folder where it is joined into
 */
function keepPlaces(code, id, dist, folder) {
  if (!code.includes("import.meta.url")) return null;
  // What no file is means the one it is joined into.
  if (id.startsWith("\0") || id.startsWith(requiredPrefix)) return null;
  if (posix(id).includes("/node_modules/")) return null;
  if (posix(path.relative(dist, id)).startsWith("../"))
    throw new Error(`${id} is not in ${dist}, so that the files beside it would not be found`);
  const place = posix(path.relative(folder, id));
  const own = `new URL(${JSON.stringify(place.startsWith(".") ? place : `./${place}`)}, import.meta.url).href`;
  return code.replaceAll("import.meta.url", own);
}

/** What a package's licence says, with its name. @param {string} name @param {string} root */
function licenceOf(name, root) {
  const folder = path.join(root, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e(\.|$)/i.test(one));
  const text =
    file === undefined ? `${license}\n` : readFileSync(path.join(folder, file), "utf8").trimEnd();
  return `${name} ${version} (${license})\n\n${text}\n`;
}
