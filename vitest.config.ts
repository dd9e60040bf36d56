// Test runner set-up: workers load compiled code, because Node runs no TypeScript inside worker threads.
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Points `new URL("./x.js", import.meta.url)` of a source file at its compiled twin in dist/, where it can run in a worker. */
const compiledWorkers: Plugin = {
  name: "bridle-compiled-workers",
  enforce: "pre",
  transform(code, id) {
    const source = id.split("?")[0] ?? id;
    const root = fileURLToPath(new URL("./src/", import.meta.url));
    if (!source.startsWith(root) || !code.includes("worker.js")) return null;
    const depth = source.slice(root.length).split("/").length;
    const folder = source.slice(root.length).split("/").slice(0, -1).join("/");
    const dist = `${"../".repeat(depth)}dist/${folder ? `${folder}/` : ""}`;
    return code.replaceAll(
      /new URL\("\.\/([\w-]*worker\.js)", import\.meta\.url\)/g,
      (_, file: string) => `new URL("${dist}${file}", import.meta.url)`,
    );
  },
};

/**
 * Files that run for a minute or more go first: one of them begun last would keep one processor busy and the others idle.
 * Without a cache of durations, as in a fresh clone, vitest goes by the size of files, which says little here. Those that
 * share processes come last and together: a process goes on to the next file only where that one shares it, too.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId, project }: TestSpecification) => {
      if (!project.config.isolate) return 2;
      return /\/test\/(e2e\/|golden\.)/.test(moduleId) ? 0 : 1;
    };
    return (await super.sort(files)).sort((a, b) => placeOf(a) - placeOf(b));
  }
}

/** Tests beside sources that need a process of their own: they measure its memory, or replace a module in it. */
const alone = [
  "src/data/large-data.test.ts",
  "src/package/archive-faults.test.ts",
  "src/runtime/release.test.ts",
  "src/runtime/weights.test.ts",
  "src/summarize/long-document.test.ts",
  "src/train/interrupted-evaluation.test.ts",
];

export default defineConfig({
  plugins: [compiledWorkers],
  test: {
    projects: [
      {
        extends: true,
        // Files of one process after another: what they import is loaded once in it, not once a file.
        test: {
          name: "beside",
          include: ["src/**/*.test.ts", "dashboard/src/**/*.test.ts"],
          exclude: alone,
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: "apart",
          include: ["test/**/*.test.ts", ...alone],
          globalSetup: "test/support/mlflow-setup.ts",
        },
      },
    ],
    // Much of the suite waits for servers, browsers and child processes: one worker a core, the runner beside them.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A page is drawn in moments, or in seconds where the machine has other work.
    expect: { poll: { timeout: 15_000 } },
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts"],
      reporter: ["text-summary", "html", "json-summary"],
      // A run that fails tells its figures too.
      reportOnFailure: true,
      // A little below what is measured; code that runs in workers and child processes counts for nothing.
      thresholds: { statements: 86, branches: 81, functions: 83, lines: 87 },
    },
  },
});
