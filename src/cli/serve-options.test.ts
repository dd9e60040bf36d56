// Tests that the options of serve are the schema's fields, each with its description and default, and no secrets.
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { resolveServeConfig, ServeConfig } from "../config/serve-config.js";
import { givenFields, serveOptions } from "./serve-options.js";

function parse(...args: string[]): Record<string, unknown> {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const { option } of serveOptions) command.addOption(option);
  return givenFields(command.parse(args, { from: "user" }).opts());
}

describe("the options of serve", () => {
  it("cover every field but the keys, which would stand in the list of processes", () => {
    const fields = serveOptions.map(({ field }) => field);
    const expected = Object.keys(ServeConfig.shape).filter((field) => field !== "apiKeys");
    expect(fields).toEqual(expected);
  });

  it("carry the schema's descriptions and defaults", () => {
    const port = serveOptions.find(({ field }) => field === "port")!.option;
    expect(port.flags).toBe("--port <n>");
    expect(port.description).toBe(`${ServeConfig.shape.port.description} (default: 8000)`);
    for (const { option } of serveOptions) expect(option.description.length).toBeGreaterThan(10);
  });

  it("give numbers, words and lists to the configuration, and only what was said", () => {
    const given = parse(
      ...["--port", "0", "--log-format", "gcp"],
      ...["--model", "a", "--model", "b", "--cors-origin", "https://app.example"],
    );
    expect(given).toEqual({
      port: 0,
      models: ["a", "b"],
      corsOrigins: ["https://app.example"],
      logFormat: "gcp",
    });
    expect(parse()).toEqual({});
    expect(resolveServeConfig(given, {})).toMatchObject({ port: 0, models: ["a", "b"] });
  });

  it("refuse what is no number, and leave ranges to the schema", () => {
    expect(() => parse("--port", "http")).toThrow('--port is "http"; it must be a whole number.');
    const given = parse("--port", "70000");
    expect(() => resolveServeConfig(given, {})).toThrow(/port: /);
  });
});
