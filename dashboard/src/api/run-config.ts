// The configuration of a training run: its JSON Schema, and the server's check of one.
import { get, readJson, send } from "./http.js";

/** A node of a JSON Schema, as far as a form looks at it. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
}

/** @throws Problem */
export function readSchema(signal: AbortSignal): Promise<Schema> {
  return get<Schema>("/v1/config/schema", signal);
}

/** Resolves where the server would train with it, every default filled in. @throws Problem that names each wrong key */
export async function checkConfig(config: object, signal: AbortSignal): Promise<object> {
  const response = await send("/v1/config/check", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ config }),
    signal,
  });
  const { config: resolved } = await readJson<{ config: object }>(response, signal);
  return resolved;
}
