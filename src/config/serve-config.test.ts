// Tests what a server can be told: defaults, the environment, options, and what each refuses.
import { describe, expect, it } from "vitest";
import { thisMachine } from "./machine.js";
import { isLoopback, resolveServeConfig, ServeConfig } from "./serve-config.js";

describe("resolveServeConfig", () => {
  it("listens on loopback, port 8000, unless told otherwise", () => {
    expect(resolveServeConfig({}, {})).toMatchObject({ host: "127.0.0.1", port: 8000 });
  });

  it("takes the port from the environment, and what is given over the environment", () => {
    expect(resolveServeConfig({}, { PORT: "8123" }).port).toBe(8123);
    expect(resolveServeConfig({ port: 0 }, { PORT: "8123" }).port).toBe(0);
    expect(resolveServeConfig({ port: undefined }, { PORT: " 8123 " }).port).toBe(8123);
    expect(resolveServeConfig({}, { PORT: "" }).port).toBe(8000);
  });

  it("reads keys from the environment, parted by commas or white space", () => {
    expect(resolveServeConfig({}, { BRIDLE_API_KEYS: "a, b=read\nc" }).apiKeys).toEqual([
      "a",
      "b=read",
      "c",
    ]);
  });

  it("has room for one body at least", () => {
    const bytesOf = (given: Parameters<typeof resolveServeConfig>[0]) =>
      resolveServeConfig(given, {}).maxBufferedBytes;
    expect(bytesOf({})).toBe(256_000_000);
    expect(bytesOf({ maxBodyBytes: 300_000_000 })).toBe(300_000_000);
    expect(bytesOf({ maxBodyBytes: 5000, maxBufferedBytes: 5000 })).toBe(5000);
    expect(() => bytesOf({ maxBodyBytes: 5001, maxBufferedBytes: 5000 })).toThrow(
      expect.objectContaining({
        code: "SERVE_OPTION_INVALID",
        message: expect.stringContaining(
          "--max-buffered-bytes: 5000 has no room for a body of --max-body-bytes, 5001",
        ),
      }),
    );
  });

  it("refuses a variable for keys without any, which would let everybody in", () => {
    expect(() => resolveServeConfig({}, { BRIDLE_API_KEYS: " , ," })).toThrow(
      expect.objectContaining({
        code: "SERVE_OPTION_INVALID",
        message: expect.stringContaining("BRIDLE_API_KEYS holds no key"),
      }),
    );
    expect(resolveServeConfig({}, { BRIDLE_API_KEYS: " " }).apiKeys).toEqual([]);
    expect(resolveServeConfig({ apiKeys: ["k"] }, { BRIDLE_API_KEYS: "," }).apiKeys).toEqual(["k"]);
  });

  it.each([
    [{ port: 70_000 }, {}, "--port: "],
    [{ port: 70_000 }, { PORT: "80" }, "--port: "],
    [{}, { PORT: "http" }, "PORT: "],
    [{}, { PORT: "-1" }, "PORT: "],
    [{ maxBodyBytes: 1.5 }, {}, "--max-body-bytes: "],
    [{ corsOrigins: ["https://a.example/"] }, {}, "--cors-origin: "],
    [{ logFormat: "xml" as "json" }, {}, "--log-format: "],
    [{ colour: 1 } as object, {}, "colour"],
  ])("refuses %j with %j, naming what set it", (given, env, field) => {
    expect(() => resolveServeConfig(given, env)).toThrow(
      expect.objectContaining({
        code: "SERVE_OPTION_INVALID",
        message: expect.stringContaining(field),
      }),
    );
  });

  it("shares a quarter of the memory among neural models and processes, unless told", () => {
    const quarter = thisMachine().memoryBytes / 4;
    const bytesOf = (models: string[], workers = 1) =>
      resolveServeConfig({ models, workers }, {}).maxCacheBytes;
    expect(bytesOf(["extractive"])).toBe(Math.floor(quarter));
    expect(bytesOf(["extractive", "./a"])).toBe(Math.floor(quarter));
    expect(bytesOf(["./a", "./b", "./a"])).toBe(Math.floor(quarter / 2));
    expect(bytesOf(["./a", "extractive", "./b"], 3)).toBe(Math.floor(quarter / 6));
    expect(resolveServeConfig({ models: ["a", "b"], maxCacheBytes: 5000 }, {}).maxCacheBytes).toBe(
      5000,
    );
  });

  it("gives every process its share of the threads, or as many as are said", () => {
    const { threads } = thisMachine();
    const told = resolveServeConfig({ workers: 2, threads: 7 }, {});
    expect(told.shares.map((share) => share.threads)).toEqual([7, 7]);
    const shared = resolveServeConfig({ workers: 2 }, {});
    expect(shared.shares).toHaveLength(2);
    expect(shared.threads).toBe(shared.shares[0]?.threads);
    expect(shared.shares[1]?.threads).toBeLessThanOrEqual(Math.max(1, Math.floor(threads / 2)));
  });

  it("leaves the numbers of weights to what a folder holds, unless told", () => {
    expect(resolveServeConfig({}, {}).dtype).toBeUndefined();
    expect(resolveServeConfig({ dtype: "fp32" }, {}).dtype).toBe("fp32");
  });

  it("describes every field, for flags and help", () => {
    for (const [name, field] of Object.entries(ServeConfig.shape)) {
      expect(field.description, name).toMatch(/\w/);
    }
  });
});

describe("isLoopback", () => {
  it.each(["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]", "::ffff:127.0.0.1"])(
    "%s is",
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  it.each(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", "example.com"])(
    "%s is not",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});

describe("processes and threads", () => {
  it("are one process with all that the machine allows, unless told otherwise", () => {
    const { threads } = thisMachine();
    expect(resolveServeConfig({}, {})).toMatchObject({ workers: 1, threads });
  });

  it("share the machine, each with a thread at least", () => {
    const { threads } = thisMachine();
    expect(resolveServeConfig({ workers: 2 }, {}).threads).toBe(Math.max(1, threads >> 1));
    expect(resolveServeConfig({ workers: 200 }, {}).threads).toBe(1);
    expect(resolveServeConfig({ workers: 200, threads: 3 }, {}).threads).toBe(3);
    expect(() => resolveServeConfig({ workers: 0 }, {})).toThrow(/workers/);
  });
});
