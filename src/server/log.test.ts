// Tests what a log line holds in each format, and what it must never hold.
import { describe, expect, it } from "vitest";
import { BridleError, toBridleError } from "../errors/error.js";
import { describeFailure, logRequest, openLog, type RequestRecord, readTrace } from "./log.js";

const record: RequestRecord = {
  requestId: "r1",
  method: "POST",
  path: "/bert",
  status: 200,
  isProbe: false,
  durationMs: 12.3456,
  requestBytes: 20,
  responseBytes: 300,
  remoteAddress: "127.0.0.1",
  userAgent: "curl/8",
  httpVersion: "1.1",
  key: "newsroom",
  trace: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true },
};

function written(config: Parameters<typeof openLog>[0], one: RequestRecord): string {
  let text = "";
  const log = openLog(config, {
    write(line: string) {
      text += line;
    },
  });
  logRequest(log, config, one);
  return text;
}

describe("logRequest", () => {
  it("writes what Google Cloud Logging reads", () => {
    const config = { logFormat: "gcp", logLevel: "info", googleCloudProject: "shop" } as const;
    expect(JSON.parse(written(config, record))).toEqual({
      severity: "INFO",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      message: "POST /bert 200 12 ms",
      requestId: "r1",
      key: "newsroom",
      "logging.googleapis.com/trace": "projects/shop/traces/0af7651916cd43dd8448eb211c80319c",
      "logging.googleapis.com/spanId": "b7ad6b7169203331",
      "logging.googleapis.com/trace_sampled": true,
      httpRequest: {
        requestMethod: "POST",
        requestUrl: "/bert",
        requestSize: "20",
        status: 200,
        responseSize: "300",
        userAgent: "curl/8",
        remoteIp: "127.0.0.1",
        latency: "0.012346s",
        protocol: "HTTP/1.1",
      },
    });
  });

  it("calls a server's fault an error", () => {
    const config = { logFormat: "gcp", logLevel: "info", googleCloudProject: undefined } as const;
    expect(
      JSON.parse(written(config, { ...record, status: 504, code: "DEADLINE_EXCEEDED" })),
    ).toMatchObject({
      severity: "ERROR",
      code: "DEADLINE_EXCEEDED",
      "logging.googleapis.com/trace": "0af7651916cd43dd8448eb211c80319c",
    });
  });

  it("keeps probes to the debug level, and warns of who was sent away", () => {
    const config = { logFormat: "gcp", logLevel: "info", googleCloudProject: undefined } as const;
    expect(written(config, { ...record, isProbe: true })).toBe("");
    expect(written({ ...config, logLevel: "debug" }, { ...record, isProbe: true })).toContain(
      "DEBUG",
    );
    expect(written(config, { ...record, status: 503 })).toContain("WARNING");
  });

  it("writes plain JSON", () => {
    const config = { logFormat: "json", logLevel: "info", googleCloudProject: undefined } as const;
    expect(JSON.parse(written(config, record))).toMatchObject({
      level: "info",
      msg: "POST /bert 200 12 ms",
      status: 200,
      durationMs: 12.3456,
      traceId: "0af7651916cd43dd8448eb211c80319c",
    });
  });

  it("writes a line for people", () => {
    const config = { logFormat: "text", logLevel: "info", googleCloudProject: undefined } as const;
    expect(written(config, record)).toMatch(
      /^[\d:.]{12} info {2}POST \/bert 200 12 ms requestId=r1 key=newsroom\n$/,
    );
  });

  it("is silent when told", () => {
    const config = {
      logFormat: "text",
      logLevel: "silent",
      googleCloudProject: undefined,
    } as const;
    expect(written(config, record)).toBe("");
  });
});

describe("readTrace", () => {
  it.each([
    [
      { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true },
    ],
    [
      { "x-cloud-trace-context": "105445aa7843bc8bf206b12000100000/1;o=1" },
      { traceId: "105445aa7843bc8bf206b12000100000", spanId: "0000000000000001", sampled: true },
    ],
    [
      { "x-cloud-trace-context": "105445AA7843BC8BF206B12000100000" },
      { traceId: "105445aa7843bc8bf206b12000100000", spanId: undefined, sampled: false },
    ],
    [{ traceparent: `00-${"0".repeat(32)}-b7ad6b7169203331-01` }, undefined],
    [{ traceparent: "nonsense", "x-cloud-trace-context": "more" }, undefined],
    [{}, undefined],
  ])("reads %j", (headers, trace) => {
    expect(readTrace(headers)).toEqual(trace);
  });
});

describe("describeFailure", () => {
  it("keeps the message of a programming fault, and no message that could quote a document", () => {
    const fault = describeFailure(toBridleError(new TypeError("x is not a function")));
    expect(fault).toMatchObject({ code: "BUG", error: "TypeError", reason: "x is not a function" });
    expect(fault).toHaveProperty("stack", expect.stringContaining(" at "));
    const parser = describeFailure(
      toBridleError(new SyntaxError('Unexpected token in "my secret text"')),
    );
    expect(JSON.stringify(parser)).not.toContain("secret");
    expect(
      JSON.stringify(describeFailure(new BridleError("BUG", { reason: "secret" }))),
    ).not.toContain("secret");
  });
});
