// What the doctor says of sweeps, batches and jobs that nobody goes on with.
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase, openQueue } from "../compose.js";
import type { SweepPlan } from "../loop/sweep/plan.js";
import { addTrial, beginSweep, endTrial, queueOf } from "../loop/sweep/sweep-store.js";
import { joinSweep } from "../loop/sweep/sweep-workers.js";
import type { Database } from "../ports/database.js";
import { insertBatch, keepAnswers } from "../summarize/batches/batch-store.js";
import { batchQueue } from "../summarize/batches/batches.js";
import { checkWork } from "./doctor-work.js";

let folder: string;
let database: Database;
let env: Record<string, string>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-doctor-work-"));
  env = { BRIDLE_DB: join(folder, "bridle.db") };
  database = await openDatabase(env.BRIDLE_DB!);
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

async function makeSweep(name: string): Promise<void> {
  const plan = {
    ...{ name, file: "/project/my rates.yaml", words: ["train.maxSteps=5"], trials: 4 },
    config: { objective: { metric: "loss", goal: "minimize" } },
  } as unknown as SweepPlan;
  const how = { resume: false, areTrialsSaid: false };
  await beginSweep(database, { plan, planSha256: "a", folder: "/far" }, how);
  for (const number of [0, 1])
    await addTrial(database, name, { number, parameters: {}, config: {} });
  await endTrial(database, name, 0, { state: "complete", value: 1, step: 1 });
  await database.query("UPDATE sweep SET began_at_ms = 1");
}

describe("the doctor", () => {
  it("has nothing to say where nothing was begun, and where all is done", async () => {
    expect(await checkWork({ BRIDLE_DB: join(folder, "none.db") })).toEqual({
      status: "ok",
      message: "nothing was begun here yet",
    });
    expect(await checkWork(env)).toEqual({
      status: "ok",
      message: "no sweep, batch or job is left in the middle",
    });
  });

  it("names a sweep without a process, with the command that goes on", async () => {
    await makeSweep("rates");
    const presence = joinSweep(database, "rates", 2);
    await presence.touch();
    expect(await checkWork(env)).toEqual({ status: "ok", message: "under way: 1 sweep" });
    // As if it had been killed: the row of whoever worked on it stays, and its process is gone.
    await database.query("UPDATE sweep_worker SET pid = $1", [2 ** 30]);
    expect(await checkWork(env)).toEqual({
      status: "warn",
      message:
        "the sweep rates is not done, and nobody works on it: 1 of 4 trials ended, 1 was under way",
      next: "Go on with the sweep: bridle sweep '/project/my rates.yaml' train.maxSteps=5 --name rates --resume",
    });
    // The same id belongs to somebody else by now.
    await database.query("UPDATE sweep_worker SET pid = $1, start = 'earlier/1'", [process.pid]);
    expect((await checkWork(env)).status).toBe(process.platform === "linux" ? "warn" : "ok");
    await presence.leave();
    expect((await checkWork(env)).status).toBe("warn");
  });

  it("believes a machine it cannot ask for as long as it gives signs", async () => {
    await makeSweep("rates");
    await joinSweep(database, "rates", 2).touch();
    await database.query("UPDATE sweep_worker SET host = $1", [`not-${hostname()}`]);
    expect((await checkWork(env)).status).toBe("ok");
    await database.query("UPDATE sweep_worker SET alive_at_ms = alive_at_ms - 31000");
    expect((await checkWork(env)).status).toBe("warn");
  });

  it("names batches that no server works on", async () => {
    const documents = ["a", "b"].map((document, index) => ({
      ...{ line: index + 1, ownId: null, document },
      parameters: {} as never,
    }));
    const id = await insertBatch(database, { model: "news@live", owner: "" }, documents);
    const queue = openQueue(database);
    await queue.enqueue(batchQueue("news@live"), { batch: id }, { id });
    await keepAnswers(database, id, [{ line: 1, state: "done", answer: "{}" }]);
    const left = {
      status: "warn",
      message:
        "1 batch of news@live is not done, and no server works on it: 1 of 2 documents answered",
      next: "Start a server that has the model: bridle serve --model news@live",
    };
    expect(await checkWork(env)).toEqual(left);
    const claim = (until: number) =>
      database.query(
        "UPDATE queue_job SET state = 'active', attempt = 1, lease = 'x', lease_until_ms = $1",
        [until],
      );
    await claim(Date.now() + 60_000);
    expect(await checkWork(env)).toEqual({ status: "ok", message: "under way: 1 batch" });
    await claim(Date.now() - 1);
    expect(await checkWork(env)).toEqual(left);
  });

  it("names jobs that a dead worker had, and those that failed too often", async () => {
    const queue = openQueue(database);
    for (const id of ["a", "b", "c"]) await queue.enqueue("mail", {}, { id });
    await database.query(
      "UPDATE queue_job SET state = 'active', lease = 'x', lease_until_ms = 1 WHERE id = 'a'",
    );
    await database.query("UPDATE queue_job SET state = 'dead', error = 'BUG: no' WHERE id = 'b'");
    expect(await checkWork(env)).toEqual({
      status: "warn",
      message: "1 job of mail had a worker that is gone; 1 job of mail failed too often: BUG: no",
      next: "Start again what works on mail.",
    });
    // Trials of a sweep are told with it.
    await makeSweep("rates");
    await database.query("UPDATE queue_job SET queue = $1", [queueOf("rates")]);
    expect((await checkWork(env)).message).not.toContain("job");
  });
});
