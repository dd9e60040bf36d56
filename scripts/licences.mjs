// Writes docs/licences.md: every package that ships with Bridle or runs under it, by licence.
// @ts-check
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

/**
 * @typedef {{version?: string, license?: string, dev?: boolean, link?: boolean,
 *   dependencies?: Record<string, string>, devDependencies?: Record<string, string>,
 *   optionalDependencies?: Record<string, string>, peerDependencies?: Record<string, string>}} LockedPackage
 * @typedef {Record<string, LockedPackage>} LockedPackages by folder, as package-lock.json has them
 * @typedef {{name: string, version: string, licence: string}} Shipped
 */

/** SPDX names that let anybody use, change and pass on, and ask for no more than the notice. */
export const permissive = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "Python-2.0",
  "Unlicense",
  "Zlib",
]);

/** Packages whose package.json names no SPDX licence, with what their licence file says. */
const readByHand = new Map([["duck@0.1.12", "BSD-2-Clause"]]);

/** What the dashboard's workspace needs to build the page but does not put into it. */
const buildTools = /^(vite|typescript)$|^@(vitejs|types)\//;
/** Development dependencies whose files the build copies into dist/. */
const copied = ["swagger-ui-dist"];

/** Whether an SPDX expression leaves a permissive choice. @param {string} expression @returns {boolean} */
export function isPermissive(expression) {
  const inner = /^\(([^()]*)\)$/.exec(expression.trim())?.[1] ?? expression.trim();
  if (/[()]/.test(inner)) return false;
  return inner
    .split(/\s+OR\s+/)
    .some((choice) => choice.split(/\s+AND\s+/).every((name) => permissive.has(name)));
}

/** The packages that reach a user, sorted by name. @param {LockedPackages} packages @returns {Shipped[]} */
export function findShipped(packages) {
  const folders = new Set(
    Object.entries(packages)
      .filter(([folder, row]) => folder.includes("node_modules/") && !row.dev && !row.link)
      .map(([folder]) => folder),
  );
  const bundled = Object.keys(packages.dashboard?.devDependencies ?? {});
  for (const name of bundled) if (!buildTools.test(name)) follow("dashboard", name);
  for (const name of copied) folders.add(`node_modules/${name}`);

  /** @param {string} from @param {string} name */
  function follow(from, name) {
    const folder = resolveFolder(packages, from, name);
    if (folder === undefined || folders.has(folder)) return;
    folders.add(folder);
    const row = packages[folder];
    const needs = { ...row?.dependencies, ...row?.peerDependencies };
    for (const each of Object.keys(needs)) if (!buildTools.test(each)) follow(folder, each);
  }

  return [...folders]
    .map((folder) => {
      const name = folder.split("node_modules/").at(-1) ?? folder;
      const { version = "", license = "none named" } = packages[folder] ?? {};
      return { name, version, licence: readByHand.get(`${name}@${version}`) ?? license };
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Where Node finds a package from a folder: the nearest node_modules upwards. @param {LockedPackages} packages @param {string} from @param {string} name */
function resolveFolder(packages, from, name) {
  for (let at = from; ; at = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : "") {
    const folder = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[folder] !== undefined) return folder;
    if (at === "") return undefined;
  }
}

/** @returns {LockedPackages} */
export function readLock() {
  const text = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
  return JSON.parse(text).packages;
}

/** The page's text; versions are left to package-lock.json. @param {Shipped[]} shipped */
export function renderLicences(shipped) {
  /** @type {Map<string, Set<string>>} */
  const byLicence = new Map();
  for (const { name, licence } of shipped) {
    byLicence.set(licence, (byLicence.get(licence) ?? new Set()).add(name));
  }
  const lines = [
    "# Licences",
    "",
    "<!-- Written by `npm run docs:licences` from package-lock.json. -->",
    "",
    "Bridle is Apache-2.0. What ships with it or is installed to run it is permissive too; a test holds it to that.",
    "Versions stand in package-lock.json.",
    "",
    "| licence | packages |",
    "| --- | --- |",
    ...[...byLicence]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([licence, names]) => `| ${licence} | ${[...names].join(", ")} |`),
  ];
  return `${lines.join("\n")}\n`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const page = new URL("../docs/licences.md", import.meta.url);
  const shipped = findShipped(readLock());
  const strict = shipped.filter(({ licence }) => !isPermissive(licence));
  for (const { name, version, licence } of strict) {
    console.error(`${name} ${version} is under ${licence}, which is not permissive`);
  }
  if (strict.length > 0) process.exit(1);
  writeFileSync(page, renderLicences(shipped));
  console.log(`Wrote docs/licences.md: ${shipped.length} packages, all permissive.`);
}
