// Holds every package that reaches a user to a permissive licence, and docs/licences.md to the lockfile.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findShipped, isPermissive, readLock, renderLicences } from "../scripts/licences.mjs";

describe("licences", () => {
  const packages = readLock();
  const shipped = findShipped(packages);

  it("of all packages that ship are permissive", () => {
    expect(shipped.filter(({ licence }) => !isPermissive(licence))).toEqual([]);
  });

  it("are looked at for what runs, what the page bundles and what the build copies", () => {
    const names = shipped.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["hono", "react", "@floating-ui/react", "swagger-ui-dist"]),
    );
    const declared = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(names).toEqual(expect.arrayContaining(Object.keys(declared.dependencies)));
    expect(names).not.toContain("vitest");
    expect(names).not.toContain("vite");
  });

  it("a package under another licence would be found, wherever it hides", () => {
    const found = findShipped({
      "": {},
      dashboard: { devDependencies: { react: "1", vite: "1" } },
      "node_modules/a": { version: "1.0.0", license: "GPL-3.0-only" },
      "node_modules/react": {
        dev: true,
        version: "1.0.0",
        license: "MIT",
        dependencies: { b: "1" },
      },
      "node_modules/react/node_modules/b": { dev: true, version: "2.0.0", license: "MPL-2.0" },
      "node_modules/vite": { dev: true, version: "1.0.0", license: "MPL-2.0" },
      "node_modules/swagger-ui-dist": { dev: true, version: "5.0.0" },
    });
    expect(found.filter(({ licence }) => !isPermissive(licence))).toEqual([
      { name: "a", version: "1.0.0", licence: "GPL-3.0-only" },
      { name: "b", version: "2.0.0", licence: "MPL-2.0" },
      { name: "swagger-ui-dist", version: "5.0.0", licence: "none named" },
    ]);
  });

  it.each([
    ["MIT", true],
    ["(MIT OR GPL-3.0-or-later)", true],
    ["(MIT AND Zlib)", true],
    ["MIT AND GPL-3.0-only", false],
    ["SEE LICENSE IN LICENSE", false],
    ["", false],
  ])("%s is permissive: %s", (expression, expected) => {
    expect(isPermissive(expression)).toBe(expected);
  });

  it("docs/licences.md lists them", () => {
    const page = readFileSync(new URL("../docs/licences.md", import.meta.url), "utf8");
    expect(page.replaceAll("\r\n", "\n")).toBe(renderLicences(shipped));
  });
});
