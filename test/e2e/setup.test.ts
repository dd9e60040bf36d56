// Tests when the start scripts install and build, and that neither is ever left half done.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createToyCheckout, type ToyCheckout, until } from "./toy-checkout.js";

let toy: ToyCheckout;
beforeEach(() => {
  toy = createToyCheckout();
});
afterEach(() => toy.dispose());

const start = (...args: string[]) => toy.run("start.mjs", args).ended;

describe("npm start", () => {
  it("installs and builds once; the second start does neither and says nothing of it", async () => {
    const first = await start("--port", "9000");
    expect(first).toMatchObject({ code: 0, stdout: "ARGS serve --port 9000\n" });
    expect(first.stderr).toContain("Installing");
    expect(first.stderr).toContain("Building");
    expect(toy.calls()).toEqual(["npm", "tsc"]);
    expect(toy.read("npm-args")).toBe("ci --ignore-scripts --include=dev --no-audit --no-fund");

    const second = await start();
    expect(second).toEqual({ code: 0, signal: null, stdout: "ARGS serve\n", stderr: "" });
    expect(toy.calls()).toEqual(["npm", "tsc"]);
  });

  it("hands on the exit code", async () => {
    const { ended } = toy.run("start.mjs", [], { TOY_EXIT: "8" });
    expect((await ended).code).toBe(8);
  });

  it("hands on SIGTERM, so that the server can end in its own way", async () => {
    const running = toy.run("start.mjs", ["--stay"]);
    await until(() => running.output().includes("ARGS"));
    running.kill("SIGTERM");
    const { code, stdout } = await running.ended;
    expect(stdout).toContain("DRAINED");
    expect(code).toBe(7);
  });

  it("names the Node it needs when this one is too old", async () => {
    toy.write("package.json", JSON.stringify({ type: "module", engines: { node: ">=99.1" } }));
    const { code, stderr } = await start();
    expect(code).toBe(8);
    expect(stderr).toContain(
      `Bridle needs Node 99.1 or newer; this is Node ${process.versions.node}.`,
    );
    expect(toy.calls()).toEqual([]);
  });
});

describe("installing", () => {
  const install = () => toy.run("build.mjs").ended;

  it("is done again when the lockfile changes, and only then", async () => {
    await install();
    toy.write("package-lock.json", JSON.stringify({ packages: { "": {} }, changed: true }));
    toy.remove("node_modules/.package-lock.json");
    await install();
    await install();
    expect(toy.calls()).toEqual(["npm", "tsc", "npm", "tsc"]);
  });

  it("takes what a developer's own npm install left, where it is what the lockfile names", async () => {
    await install();
    toy.remove("node_modules/.bridle-install");
    expect((await install()).stderr).toBe("dist/ is up to date.\n");
    toy.remove("node_modules/.bridle-install");
    toy.remove("node_modules/left");
    await install();
    expect(toy.calls()).toEqual(["npm", "tsc", "npm"]);
  });

  it("is done again for another platform's node_modules", async () => {
    await install();
    toy.write("node_modules/.bridle-install", "abc elsewhere-x64\n");
    await install();
    expect(toy.calls()).toEqual(["npm", "tsc", "npm"]);
  });

  it("tells that npm failed and what to do, with exit code 8", async () => {
    toy.write("npm-fails", "");
    const { code, stderr } = await start();
    expect(code).toBe(8);
    expect(stderr).toContain("npm error network unreachable");
    expect(stderr).toContain("npm ci ended with code 1.\nRead npm's lines above");
    toy.remove("npm-fails");
    expect((await start()).code).toBe(0);
  });

  it("starts afresh after it was killed half-way", async () => {
    toy.hold("npm");
    const cut = toy.run("start.mjs");
    await until(() => toy.has("node_modules/half"));
    cut.kill("SIGKILL");
    process.kill(toy.pidOf("npm"), "SIGKILL");
    await cut.ended;
    toy.release("npm");
    expect(await start()).toMatchObject({ code: 0 });
    expect(toy.calls()).toEqual(["npm", "npm", "tsc"]);
  });

  it("waits for an npm that outlived its start, and does not run a second one beside it", async () => {
    toy.hold("npm");
    const cut = toy.run("start.mjs");
    await until(() => toy.has("node_modules/half"));
    cut.kill("SIGKILL");
    await cut.ended;
    const next = toy.run("start.mjs");
    await until(() => next.output().includes("waiting for it"));
    expect(toy.calls()).toEqual(["npm"]);
    toy.release("npm");
    expect((await next.ended).code).toBe(0);
  });

  it.skipIf(process.platform === "win32")(
    "ends at once on Ctrl-C, and so does its npm",
    async () => {
      toy.hold("npm");
      const running = toy.run("start.mjs");
      await until(() => toy.has("node_modules/half"));
      running.kill("SIGINT");
      const { code, stderr } = await running.ended;
      expect(code).toBe(130);
      expect(stderr).toContain("npm ci was stopped.");
      expect(() => process.kill(toy.pidOf("npm"), 0)).toThrow("ESRCH");
      expect(toy.has(".bridle/setup.lock")).toBe(false);
    },
  );
});

describe("building", () => {
  const build = () => toy.run("build.mjs").ended;

  it("is done again for a changed, an added and a removed source, and leaves nothing of a removed one", async () => {
    toy.write("src/old.ts", "export {};");
    await build();
    expect(toy.has("dist/old.js")).toBe(true);
    toy.remove("src/old.ts");
    await build();
    expect(toy.has("dist/old.js")).toBe(false);
    toy.write("src/new.ts", "export const a = 1;");
    await build();
    toy.write("src/new.ts", "export const a = 2;");
    await build();
    expect(toy.read("dist/new.js")).toBe("export const a = 2;");
    toy.write("tsconfig.json", '{"changed": true}');
    await build();
    expect(toy.calls()).toEqual(["npm", "tsc", "tsc", "tsc", "tsc", "tsc"]);
  });

  it("is not done again for a changed test", async () => {
    await build();
    toy.write("src/new.test.ts", "");
    expect((await build()).stderr).toBe("dist/ is up to date.\n");
  });

  it("copies what is no source, and what the API page needs", async () => {
    toy.write("src/text/words.txt", "one two");
    await build();
    expect(toy.read("dist/text/words.txt")).toBe("one two");
    expect(toy.read("dist/server/docs-assets/swagger-ui-bundle.js")).toBe("swagger-ui-bundle.js");
  });

  it("leaves the last build in place when the sources do not compile", async () => {
    await build();
    toy.write("src/cli/main.ts", "does not compile");
    const { code, stderr } = await build();
    expect(code).toBe(1);
    expect(stderr).toContain("error TS1005");
    expect(stderr).toContain("The TypeScript compiler ended with code 2.");
    expect(toy.read("dist/cli/main.js")).toContain("ARGS");
    // It is not taken for good either.
    expect((await start()).code).toBe(1);
  });

  it("shows nothing of a build that was killed, and clears it away", async () => {
    await build();
    toy.write("src/new.ts", "export {};");
    toy.hold("tsc");
    const cut = toy.run("build.mjs");
    await until(() => toy.calls().length === 3);
    cut.kill("SIGKILL");
    process.kill(toy.pidOf("tsc"), "SIGKILL");
    await cut.ended;
    toy.release("tsc");
    expect(toy.has("dist/new.js")).toBe(false);
    expect(toy.read("dist/cli/main.js")).toContain("ARGS");
    await build();
    expect(toy.has("dist/new.js")).toBe(true);
    expect(toy.has(`.dist-new-${cut.pid}`)).toBe(false);
  });

  it.skipIf(process.platform === "win32")("lets the binary be run by its name", async () => {
    const { statSync } = await import("node:fs");
    await build();
    expect(statSync(`${toy.root}/dist/cli/main.js`).mode & 0o111).toBe(0o111);
  });

  it("tells a program what is stale", async () => {
    const check = async () => JSON.parse((await toy.run("build.mjs", ["--check"]).ended).stdout);
    expect(await check()).toEqual({ installed: false, built: false });
    await build();
    expect(await check()).toEqual({ installed: true, built: true });
    toy.write("src/new.ts", "");
    expect(await check()).toEqual({ installed: true, built: false });
  });
});

describe("two starts at once", () => {
  it("install and build once between them", async () => {
    toy.hold("npm");
    const first = toy.run("start.mjs");
    await until(() => toy.has("node_modules/half"));
    const others = [toy.run("start.mjs"), toy.run("start.mjs")];
    await until(() => others.every((each) => each.output().includes("waiting for it")));
    toy.release("npm");
    const ended = await Promise.all([first, ...others].map((each) => each.ended));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(toy.calls()).toEqual(["npm", "tsc"]);
    expect(toy.has(".bridle/setup.lock")).toBe(false);
  });
});
