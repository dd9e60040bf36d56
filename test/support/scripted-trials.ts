// Trials that only act as one: each seed is a fate, and every process that was told to train leaves a line.
import { fork } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What becomes of a trial, by the name that `fates` gives its seed. */
const script = `
import { appendFileSync, readFileSync } from "node:fs";
const [log] = process.argv.slice(2);
const fates = JSON.parse(process.argv[3]);
process.on("disconnect", () => process.exit(0));
process.on("message", async (message) => {
  if (message.type !== "train") return process.disconnect();
  const { seed, output, threads } = message.config.train;
  appendFileSync(log, JSON.stringify({ seed, output, threads }) + "\\n");
  const report = (step, loss) => ({ step, epoch: step, loss, isBest: true });
  const evaluate = (step, loss) =>
    process.send({ type: "evaluation", report: report(step, loss), isOld: false });
  const fate = fates[seed] ?? "done";
  process.send({ type: "start", totalSteps: 4 });
  if (fate === "crash") {
    process.stderr.write("a fault in native code\\n");
    process.kill(process.pid, "SIGSEGV");
  }
  // Deaf and dumb, as one in an endless loop is, but without taking a processor for it.
  if (fate === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (fate === "never ends") return setInterval(() => process.send({ type: "alive" }), 50);
  if (fate === "throw") {
    process.send({ type: "failed", error: { code: "FILE_NOT_FOUND", details: { file: "rows.jsonl" } } });
    return process.disconnect();
  }
  if (fate === "retold") {
    process.send({ type: "evaluation", report: report(2, 100), isOld: true });
  }
  if (fate === "in company") {
    const begun = () => readFileSync(log, "utf8").split("\\n").length - 1;
    while (begun() < Number(process.argv[4])) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  evaluate(2, fate === "NaN" ? Number.NaN : seed + 1);
  evaluate(4, seed);
  process.send({ type: "done", step: 4, evaluation: report(4, seed) });
  process.disconnect();
});
`;

/**
 * `retold`: tells a bad report of before it was taken up again. `in company`: goes on once so many trials have begun as `company`
 * says.
 */
export type Fate =
  | "done"
  | "crash"
  | "hang"
  | "never ends"
  | "throw"
  | "NaN"
  | "retold"
  | "in company";

export interface BegunTrial {
  readonly seed: number;
  readonly output: string;
  readonly threads: number;
}

/** A folder with a sweep over `train.seed`, and processes that act it. */
export async function makeScriptedTrials(
  folder: string,
  sweep: object,
  fates: Readonly<Record<number, Fate>> = {},
  company = 1,
) {
  await mkdir(folder, { recursive: true });
  const [program, log, file] = [
    join(folder, "trial.mjs"),
    join(folder, "begun.jsonl"),
    join(folder, "sweep.yaml"),
  ];
  await writeFile(program, script);
  await writeFile(log, "");
  await writeFile(file, JSON.stringify(sweep));
  await writeFile(
    join(folder, "params.yaml"),
    JSON.stringify({
      model: { name: "tiny" },
      data: { train: "train.jsonl", validation: "valid.jsonl" },
    }),
  );
  return {
    file,
    startProcess: () =>
      fork(program, [log, JSON.stringify(fates), String(company)], {
        stdio: ["ignore", "ignore", "pipe", "ipc"],
        execArgv: [],
      }),
    /** Every process that was told to train, in order. */
    begun: async (): Promise<BegunTrial[]> =>
      (await readFile(log, "utf8"))
        .split("\n")
        .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as BegunTrial])),
  };
}
