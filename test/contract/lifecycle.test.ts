// From the start to the end: a taken port, warming up, draining.
import { describe, expect, it } from "vitest";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { startServer } from "../../src/server/server.js";
import { createToyService, startToy, type ToyServer, until } from "./toy-service.js";

const json = { "content-type": "application/json" };

function summarize(server: ToyServer, content: string, path = "/bert"): Promise<Response> {
  const body = JSON.stringify(path === "/bert" ? { content } : { inputs: content });
  return fetch(server.url + path, { method: "POST", headers: json, body });
}

describe("starting", () => {
  it("says so where the port is taken", async () => {
    const server = await startToy();
    await expect(startToy({ port: server.port })).rejects.toMatchObject({
      code: "ADDRESS_NOT_AVAILABLE",
      message: expect.stringContaining("listens there already"),
    });
    await server.close();
  });

  it("says so where the host is none", async () => {
    await expect(startToy({ host: "host.invalid" })).rejects.toMatchObject({
      code: "ADDRESS_NOT_AVAILABLE",
    });
  });

  it("is alive at once and ready when its models are warm", async () => {
    let warm = (): void => {};
    const service = {
      ...createToyService(),
      warmUp: () => new Promise<void>((resolve) => (warm = resolve)),
    };
    const config = resolveServeConfig({ port: 0, logLevel: "silent" }, {});
    const server = await startServer(config, service);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    const cold = await fetch(`${server.url}/ready`);
    expect(cold.status).toBe(503);
    expect(cold.headers.get("retry-after")).toBe("1");
    expect(await cold.json()).toMatchObject({ code: "WARMING_UP" });
    warm();
    await server.ready;
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    await server.close();
  });

  it("tells who waits when a model cannot be loaded", async () => {
    const service = {
      ...createToyService(),
      warmUp: () => Promise.reject(new Error("no weights")),
    };
    const config = resolveServeConfig({ port: 0, logLevel: "silent" }, {});
    const server = await startServer(config, service);
    await expect(server.ready).rejects.toThrow("no weights");
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    await server.close();
  });
});

describe("closing", () => {
  it("says no at /ready, refuses new work, finishes what is in flight, then stops", async () => {
    const server = await startToy();
    const inFlight = summarize(server, "SLOW but sure. Yes.");
    await until(() => server.service.running === 1);
    const closed = server.close();
    const ready = await fetch(`${server.url}/ready`);
    expect(ready.status).toBe(503);
    expect(ready.headers.get("connection")).toBe("close");
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    const late = await summarize(server, "Late. Too late.");
    expect(late.status).toBe(503);
    expect(late.headers.get("retry-after")).toBe("1");
    // That client repeats 503 without end.
    expect((await summarize(server, "Late. Too late.", "/models/toy")).status).toBe(429);
    server.service.release();
    const answer = await inFlight;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ summary: "SLOW but sure." });
    await closed;
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    await server.close();
  });

  it("takes work for the drain delay, so that a load balancer can look away first", async () => {
    const server = await startToy({ drainDelayMs: 300 });
    const closed = server.close();
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    expect((await summarize(server, "Still. In time.")).status).toBe(200);
    await closed;
  });

  it("tells those that are not done when the grace time is over", async () => {
    const server = await startToy({ graceMs: 50, concurrency: 2, heartbeatMs: 20 });
    const hanging = summarize(server, "SLOW as can be.");
    // It has begun by its first heartbeat.
    const stream = await fetch(`${server.url}/v1/summaries`, {
      ...{ method: "POST", headers: json },
      body: JSON.stringify({ document: "SLOW as well.", stream: true }),
    });
    await until(() => server.service.running === 2);
    // One that waits for its turn.
    const waiting = summarize(server, "Quick. Quite.", "/models/toy");
    await until(async () =>
      /bridle_work_waiting 1\b/.test(await (await fetch(`${server.url}/metrics`)).text()),
    );
    const closed = server.close();
    const { status, headers } = await hanging;
    expect([status, headers.get("retry-after")]).toEqual([503, "1"]);
    // Hugging Face's clients try 503 again for ever.
    expect((await waiting).status).toBe(429);
    expect(await stream.text()).toMatch(/event: error\ndata: .*SHUTTING_DOWN/);
    await closed;
    await until(() => server.service.cancelled === 2);
    expect(server.lines.some((line) => line.includes("grace time is over"))).toBe(true);
  });
});
