// Durable batches on every database: kept before they are acknowledged, one answer for each document, whatever happens meanwhile.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import {
  findDatabaseFaults,
  keepDurableBatches,
  openDatabase,
  openQueue,
} from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import { BridleError } from "../../src/errors/error.js";
import { createApiKey } from "../../src/server/api-keys.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { countLoss, insertBatch } from "../../src/summarize/batches/batch-store.js";
import { openBatches } from "../../src/summarize/batches/batches.js";
import type { Summarizer } from "../../src/summarize/summarizer.js";
import { describeEachDatabase } from "../support/databases.js";
import { createToyService, until } from "./toy-service.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-batches-"));
});
afterAll(() => rm(root, { recursive: true }));

// biome-ignore lint/suspicious/noExplicitAny: every route answers a shape of its own, which the tests look at
type Body = any;

const lines = (...rows: readonly unknown[]) =>
  rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n");
const documents = (count: number, text = (n: number) => `Document ${n}. It goes on.`) =>
  Array.from({ length: count }, (_, n) => ({ document: text(n), id: `d${n}` }));

describeEachDatabase("a durable batch", (place) => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });

  /** @param alias the toy as an alias of the registry, under this spelling of its name */
  const start = async (url?: string, config: ServeConfigInput = {}, alias?: string) => {
    const db = url ?? (await place.createUrl());
    const service = createToyService();
    const given = resolveServeConfig({ port: 0, logLevel: "silent", ...config }, {});
    const [toy] = service.summarizers.values();
    const served =
      alias === undefined || toy === undefined
        ? service
        : { summarizers: new Map([[alias, toy]]), followed: new Set([alias]) };
    const batches = keepDurableBatches({ db, env: {} }, served, given.maxOpenBatchLines);
    const server: RunningServer = await startServer(
      given,
      { ...service, ...served, batches },
      { files: { dashboard: "/nonexistent", docs: "/nonexistent" } },
    );
    await server.ready;
    const closed = { done: false };
    const close = async () => {
      if (closed.done) return;
      closed.done = true;
      await server.close();
      await batches.close();
    };
    open.push({ close });
    const ask = async (path: string, init: RequestInit = {}, key?: string) => {
      const headers = {
        ...(init.body !== undefined && { "content-type": "application/x-ndjson" }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...init.headers,
      };
      const response = await fetch(server.url + path, { ...init, headers });
      const text = await response.text();
      const isOne = response.headers.get("content-type") !== "application/x-ndjson";
      const body: Body = isOne
        ? JSON.parse(text)
        : text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
      return { status: response.status, headers: response.headers, body };
    };
    const post = (body: string, query = "", key?: string) =>
      ask(`/v1/batches${query}`, { method: "POST", body }, key);
    const end = async (id: string, key?: string): Promise<Body> => {
      let found: Body;
      await until(async () => {
        found = (await ask(`/v1/batches/${id}`, {}, key)).body;
        return found.state === "done" || found.state === "cancelled";
      });
      return found;
    };
    return { db, service, ask, post, end, close };
  };
  const faultsOf = async (db: string) =>
    (await findDatabaseFaults(db, join(root, "store"), {})).faults;

  it("answers each document once, in order, errors too", async () => {
    const { db, ask, post, end } = await start();
    const sent = await post(
      lines(
        { document: "First. Second. Third.", id: "a", parameters: { sentences: 2 } },
        "",
        { document: "…" },
        { document: "Only one sentence.", id: "c" },
        { document: "CRASH and burn." },
      ),
    );
    expect(sent.status).toBe(202);
    expect(sent.headers.get("location")).toBe(`/v1/batches/${sent.body.id}`);
    expect(sent.body).toMatchObject({ model: "toy", documents: { total: 4 } });
    expect(await end(sent.body.id)).toMatchObject({
      state: "done",
      documents: { total: 4, waiting: 0, done: 2, failed: 2, cancelled: 0 },
      resultsUrl: `/v1/batches/${sent.body.id}/results`,
    });
    const { body } = await ask(`/v1/batches/${sent.body.id}/results`);
    expect(body).toMatchObject([
      { line: 1, id: "a", result: { summary: "First. Second.", model: "toy" } },
      { line: 3, error: { code: "EMPTY_TEXT", status: 400 } },
      { line: 4, id: "c", result: { summary: "Only one sentence." } },
      // What a bug says stays here.
      { line: 5, error: { code: "BUG", detail: "The server failed in a way it should not." } },
    ]);
    expect((await ask("/v1/batches")).body.batches).toHaveLength(1);
    expect(await faultsOf(db)).toEqual([]);
  });

  it("lets others have a turn between its documents", async () => {
    const { ask, post, end } = await start();
    const { body } = await post(lines(...documents(400)));
    const seen = new Set<number>();
    for (;;) {
      const { state, documents: of } = (await ask(`/v1/batches/${body.id}`)).body;
      seen.add(of.done);
      if (state === "done") break;
    }
    await end(body.id);
    // Somewhere on the way, and not only before and after.
    expect(seen.size).toBeGreaterThan(2);
  });

  it("refuses all of it for lines that cannot be used, by their numbers", async () => {
    const { ask, post } = await start();
    const { status, body } = await post(
      lines(
        { document: "Good.", id: "a" },
        '{"document": "cut',
        "",
        { text: "Bad." },
        { document: "Good.", id: "a" },
        { document: "Good.", parameters: { sentence: 1 } },
        { document: "Good.", model: "toy" },
        "[]",
        { document: "Good.", parameters: { sentences: 0 } },
      ),
    );
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: "BATCH_LINES_INVALID" });
    const told = body.errors.map(({ pointer, detail }: Body) => `${pointer} ${detail}`);
    const starts = [
      ...[
        "# line 2: The body is not JSON",
        "#/document line 4: is missing",
        "#/text line 4: is not",
      ],
      ...["#/id line 5: is that of line 1 too", "#/parameters/sentence line 6:", "#/model line 7:"],
      ...["# line 8: must be of type object", "#/parameters/sentences line 9: must be at least 1"],
    ];
    for (const [index, begin] of starts.entries()) expect(told[index]).toContain(begin);
    expect(told).toHaveLength(starts.length);
    expect(body.detail).toContain("7 of its lines: line 2: ");
    expect((await ask("/v1/batches")).body).toEqual({ batches: [] });
  });

  it.each([
    ["", "application/x-ndjson", "", 400, "BODY_MISSING"],
    ["\n \n", "application/x-ndjson", "", 400, "BODY_MISSING"],
    ["{}", "application/json", "", 415, "MEDIA_TYPE_UNSUPPORTED"],
    ['{"document":"A."}', "application/jsonl", "?model=none", 404, "MODEL_NOT_FOUND"],
    ['{"document":"A."}', "application/jsonl", "?modell=toy", 400, "FIELDS_INVALID"],
    [lines(...documents(4)), "application/x-jsonlines", "", 413, "BATCH_TOO_LARGE"],
    [`{"document":"${"a".repeat(3000)}"}`, "application/x-ndjson", "", 413, "BODY_TOO_LARGE"],
  ])("%j as %s%s is answered %i %s", async (body, type, query, status, code) => {
    const { ask } = await start(undefined, { maxBatchLines: 3, maxBodyBytes: 2000 });
    const headers = { "content-type": type };
    const answer = await ask(`/v1/batches${query}`, { method: "POST", body, headers });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it("takes no more than may be open, and tells of what is not there", async () => {
    const { service, ask, post, end } = await start(undefined, { maxOpenBatchLines: 5 });
    const slow = documents(3, () => "SLOW one.");
    const { body: first } = await post(lines(...slow), "?model=org%2Ftoy");
    expect(first.model).toBe("org/toy");
    const full = await post(lines(...documents(3)));
    expect([full.status, full.body.code]).toEqual([429, "BATCHES_FULL"]);
    expect(full.headers.get("retry-after")).toBe("60");
    await until(() => service.running === 3);
    service.release();
    await end(first.id);
    expect((await post(lines(...documents(3)))).status).toBe(202);
    for (const path of ["/v1/batches/none", "/v1/batches/none/results"]) {
      const { status, body } = await ask(path);
      expect([status, body.code]).toEqual([404, "BATCH_NOT_FOUND"]);
    }
  });

  it("gives documents to the model, and their ids back, with characters that no database holds", async () => {
    const { ask, post, end } = await start();
    const rows = [
      { document: "Nul \0 and half \ud83d. Second.", id: "a\0b" },
      { document: "Plain. Second.", id: "a\ufffdb" },
    ];
    const { body } = await post(lines(...rows));
    await end(body.id);
    expect((await ask(`/v1/batches/${body.id}/results`)).body).toMatchObject([
      { id: "a\0b", result: { summary: "Nul \0 and half \ud83d." } },
      { id: "a\ufffdb", result: { summary: "Plain." } },
    ]);
  });

  it("does not wait for the end of one that came before", async () => {
    const { service, ask, post, end } = await start();
    const long = await post(lines(...documents(3000, (n) => `SLOW document ${n}. It goes on.`)));
    await until(() => service.running > 0);
    const short = await post(lines({ document: "First. Second. Third." }));
    // Those in work are let go one after the other, which is a turn for each batch.
    const releasing = setInterval(() => service.release(), 5);
    try {
      await end(short.body.id);
      const { body } = await ask(`/v1/batches/${long.body.id}`);
      expect(body.state).toBe("running");
      expect(body.documents.waiting).toBeGreaterThan(0);
    } finally {
      clearInterval(releasing);
      await ask(`/v1/batches/${long.body.id}/cancel`, { method: "POST" });
    }
  });

  it("is cancelled where it stands", async () => {
    const { db, service, ask, post, end } = await start();
    const rows = documents(20, (n) => (n < 3 ? `Quick ${n}.` : `SLOW ${n}.`));
    const { body } = await post(lines(...rows));
    await until(() => service.running === 4);
    const cancel = () => ask(`/v1/batches/${body.id}/cancel`, { method: "POST" });
    const cancelled = await cancel();
    expect(cancelled.body).toMatchObject({
      state: "cancelled",
      documents: { done: 3, waiting: 0, cancelled: 17 },
    });
    await until(() => service.running === 0);
    expect(await cancel()).toMatchObject({ status: 200, body: cancelled.body });
    expect(await end(body.id)).toEqual(cancelled.body);
    const results = (await ask(`/v1/batches/${body.id}/results`)).body;
    expect(results).toHaveLength(20);
    expect(results[2].result.summary).toBe("Quick 2.");
    expect(results[19]).toMatchObject({ id: "d19", error: { code: "BATCH_CANCELLED" } });
    expect(await faultsOf(db)).toEqual([]);
  });

  it("goes on after a restart, and keeps the answers it has", async () => {
    const first = await start();
    const rows = documents(12, (n) => (n % 2 === 0 ? `Quick ${n}.` : `SLOW ${n}.`));
    const { body } = await first.post(lines(...rows));
    await until(() => first.service.running === 4);
    const before = (await first.ask(`/v1/batches/${body.id}/results`)).body;
    expect(before.length).toBeGreaterThan(0);
    await first.close();
    const second = await start(first.db);
    // One that was told to stop gave its work back, so that nothing counts as lost.
    await until(() => second.service.running === 4);
    await until(() => {
      second.service.release();
      return second.service.running === 0;
    });
    const releasing = setInterval(() => second.service.release(), 5);
    const whole = await second.end(body.id).finally(() => clearInterval(releasing));
    expect(whole.documents).toMatchObject({ done: 12 });
    const after = (await second.ask(`/v1/batches/${body.id}/results`)).body;
    expect(after.map(({ line }: Body) => line)).toEqual(rows.map((_, n) => n + 1));
    const rest = (await second.ask(`/v1/batches/${body.id}/results?after=9`)).body;
    expect(rest).toEqual(after.slice(9));
    const wrong = await second.ask(`/v1/batches/${body.id}/results?after=-1`);
    expect(wrong).toMatchObject({ status: 400, body: { code: "FIELDS_INVALID" } });
    for (const each of before) expect(after[each.line - 1]).toEqual(each);
  });

  it("waits for a server that has its model, and its job is made where a kill came before", async () => {
    const db = await place.createUrl();
    const database = await openDatabase(db);
    open.push(database);
    const row = { line: 1, ownId: null, document: "One. Two.", parameters: {} };
    const elsewhere = await insertBatch(database, { model: "elsewhere", owner: "" }, [row]);
    const here = await insertBatch(database, { model: "toy", owner: "" }, [row]);
    const { ask, end } = await start(db);
    expect(await end(here)).toMatchObject({ state: "done", documents: { done: 1 } });
    expect((await ask(`/v1/batches/${elsewhere}`)).body.state).toBe("waiting");
  });

  it("gives up on a document that ends its process again and again, and on no other", async () => {
    const db = await place.createUrl();
    const database = await openDatabase(db);
    open.push(database);
    const id = await insertBatch(
      database,
      { model: "toy", owner: "" },
      documents(6).map(({ document }, n) => ({
        ...{ line: n + 1, ownId: null, document, parameters: {} },
      })),
    );
    for (let times = 0; times < 5; times++) await countLoss(database, id, 2, 1);
    await countLoss(database, id, 3, 1);
    const { ask, end } = await start(db);
    await end(id);
    const results = (await ask(`/v1/batches/${id}/results`)).body;
    // Only a job that was lost before looks for what ends processes: this one was not.
    expect(results.every(({ result }: Body) => result !== undefined)).toBe(true);

    const again = await insertBatch(
      database,
      { model: "toy", owner: "" },
      documents(6).map(({ document }, n) => ({
        ...{ line: n + 1, ownId: null, document, parameters: {} },
      })),
    );
    for (let times = 0; times < 5; times++) await countLoss(database, again, 2, 1);
    await countLoss(database, again, 3, 1);
    await database.query(
      `INSERT INTO queue_job (id, queue, payload, priority, state, attempt, max_attempts, backoff_ms, run_at_ms, lease,
         lease_until_ms, cancel_asked, enqueued_at_ms)
       VALUES ($1, 'batches:toy', $2, 0, 'active', 1, 1000000, 1000, 0, 'lost', 1, 0, 0)`,
      [again, JSON.stringify({ batch: again })],
    );
    await end(again);
    const answers = (await ask(`/v1/batches/${again}/results`)).body;
    expect(answers.map(({ error }: Body) => error?.code)).toEqual([
      ...[undefined, "BATCH_DOCUMENT_LOST", undefined, undefined, undefined, undefined],
    ]);
  });

  it("belongs to the key it was sent with", async () => {
    const keys = ["first-key-0001=summarize", "second-key-002=summarize", "admin-key-0003=admin"];
    const { ask, post } = await start(undefined, { apiKeys: keys });
    expect((await post(lines(...documents(1)))).status).toBe(401);
    const { body } = await post(lines(...documents(1)), "", "first-key-0001");
    const look = async (key: string) => {
      const one = await ask(`/v1/batches/${body.id}`, {}, key);
      const { batches } = (await ask("/v1/batches", {}, key)).body;
      return [one.status, batches.length];
    };
    expect(await look("first-key-0001")).toEqual([200, 1]);
    expect(await look("second-key-002")).toEqual([404, 0]);
    expect(await look("admin-key-0003")).toEqual([200, 1]);
    const init = { method: "POST" };
    expect((await ask(`/v1/batches/${body.id}/cancel`, init, "second-key-002")).status).toBe(404);
  });

  it("belongs to the key itself: whoever takes its place or its name has nothing of it", async () => {
    const [a, b] = ["first-key-0001", "second-key-002"];
    const before = await start(undefined, { apiKeys: [`${a}=summarize`, `${b}=summarize`] });
    const { body: ofA } = await before.post(lines(...documents(1)), "", a);
    const { body: ofB } = await before.post(lines(...documents(1)), "", b);
    await before.close();
    // The first is revoked, and the second stands where it stood.
    const { ask } = await start(before.db, { apiKeys: [`${b}=summarize`] });
    expect((await ask(`/v1/batches/${ofA.id}`, {}, b)).status).toBe(404);
    const cancel = await ask(`/v1/batches/${ofA.id}/cancel`, { method: "POST" }, b);
    expect(cancel.status).toBe(404);
    expect((await ask(`/v1/batches/${ofB.id}`, {}, b)).status).toBe(200);
    const listed: Body = (await ask("/v1/batches", {}, b)).body.batches;
    expect(listed.map(({ id }: Body) => id)).toEqual([ofB.id]);

    // A file written by hand may hold one name twice, and names of the environment.
    const [one, two] = [1, 2].map(() =>
      createApiKey({ name: "environment-1", scopes: ["summarize"] }),
    );
    const file = join(root, `keys-${place.kind}.json`);
    await writeFile(file, JSON.stringify({ keys: [one?.record, two?.record] }));
    const named = await start(before.db, { apiKeys: [`${b}=summarize`], apiKeysFile: file });
    const { body: ofOne } = await named.post(lines(...documents(1)), "", one?.key);
    for (const key of [b, two?.key])
      expect((await named.ask(`/v1/batches/${ofOne.id}`, {}, key)).status).toBe(404);
    expect((await named.ask(`/v1/batches/${ofOne.id}`, {}, one?.key)).status).toBe(200);
  });

  it("is kept under one spelling of its model's name, and gone on with under any", async () => {
    const first = await start(undefined, {}, "news");
    const slow = documents(2, () => "SLOW one.");
    for (const query of ["", "?model=news", "?model=news@champion"]) {
      const sent = await first.post(lines(...slow), query);
      expect([sent.status, sent.body.model], query).toEqual([202, "news@champion"]);
    }
    // A number is no promise that an alias can keep until a batch is done.
    const pinned = await first.post(lines(...slow), "?model=news:1");
    expect(pinned).toMatchObject({
      status: 404,
      body: { code: "MODEL_NOT_FOUND", hint: expect.stringContaining("at version 1 now") },
    });
    const { batches } = (await first.ask("/v1/batches")).body;
    await first.close();
    const second = await start(first.db, {}, "news@champion");
    const releasing = setInterval(() => second.service.release(), 5);
    for (const { id } of batches) expect((await second.end(id)).state).toBe("done");
    clearInterval(releasing);
    expect(batches).toHaveLength(3);
  });

  it("is removed thirty days after its end, where the server runs on as well", async () => {
    const database = await openDatabase(await place.createUrl());
    const queue = openQueue(database);
    const clock = { now: Date.now() };
    const batches = await openBatches({
      ...{ database, queue, summarizers: createToyService().summarizers, observer: {} },
      ...{ maxOpenDocuments: 10, now: () => clock.now, removeEveryMs: 5 },
      onFailure: (thrown) => expect.fail(String(thrown)),
    });
    open.push(database, queue, batches);
    const row = { line: 1, ownId: null, document: "One. Two.", parameters: {} };
    const ask = { model: "toy", owner: "", documents: [row] };
    const { id } = await batches.create(ask);
    await until(async () => (await batches.get(id)).state === "done");
    clock.now = ((await batches.get(id)).endedAtMs ?? 0) + 30 * 24 * 3600 * 1000;
    expect((await batches.get(id)).state).toBe("done");
    expect(await batches.list({ limit: 10 })).toHaveLength(1);
    clock.now += 1;
    // At once for those who ask, and from the disk when it is looked at next.
    await expect(batches.get(id)).rejects.toMatchObject({ code: "BATCH_NOT_FOUND" });
    expect(await batches.list({ limit: 10 })).toEqual([]);
    await until(async () => {
      const { rows } = await database.query("SELECT line FROM batch_document");
      return rows.length === 0;
    });
    await batches.create(ask);
    expect(await batches.list({ limit: 10 })).toHaveLength(1);
  });

  it("takes no answer from a model that is closed, and goes on with the next server", async () => {
    const url = await place.createUrl();
    const [toy] = createToyService().summarizers.values();
    if (toy === undefined) throw new BridleError("BUG", { reason: "there is no toy" });
    let tries = 0;
    const closed: Summarizer = {
      ...toy,
      async summarize() {
        tries++;
        throw new BridleError("CANCELLED");
      },
    };
    const start = async (summarizer: Summarizer) => {
      const database = await openDatabase(url);
      const queue = openQueue(database);
      const batches = await openBatches({
        ...{ database, queue, summarizers: new Map([["toy", summarizer]]), observer: {} },
        ...{ maxOpenDocuments: 10 },
        onFailure: (thrown) => expect.fail(String(thrown)),
      });
      return {
        batches,
        async stop() {
          for (const each of [batches, queue, database]) await each.close();
        },
      };
    };
    const first = await start(closed);
    const row = { line: 1, ownId: null, document: "One. Two.", parameters: {} };
    const { id } = await first.batches.create({ model: "toy", owner: "", documents: [row] });
    await until(() => tries > 0);
    await first.stop();
    const second = await start(toy);
    await until(async () => (await second.batches.get(id)).state === "done");
    expect((await second.batches.get(id)).documents).toMatchObject({ done: 1, failed: 0 });
    await second.stop();
  });
});
