// Hugging Face's own client works against /models/* unchanged.
import { InferenceClient, InferenceClientProviderApiError } from "@huggingface/inference";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { startServer } from "../../src/server/server.js";
import type { Summarizer } from "../../src/summarize/summarizer.js";
import { createToyService, startToy, type ToyServer } from "./toy-service.js";

const inputs = "One went out. Two came back. Three stayed.";
let server: ToyServer;
let requests: number;
beforeAll(async () => {
  server = await startToy({ apiKeys: ["hf_token"] });
});
afterAll(() => server.close());

function client(model: string, token = "hf_token"): InferenceClient {
  requests = 0;
  return new InferenceClient(token, {
    endpointUrl: `${server.url}/models/${model}`,
    fetch: (input, init) => {
      requests += 1;
      return fetch(input, init);
    },
  });
}

async function refusal(work: Promise<unknown>): Promise<InferenceClientProviderApiError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(InferenceClientProviderApiError);
  return thrown as InferenceClientProviderApiError;
}

describe("the client's summarization", () => {
  it("gives the summary", async () => {
    expect(await client("toy").summarization({ inputs })).toMatchObject({
      summary_text: "One went out.",
      truncated: false,
      usage: { inputTokens: 8, usedTokens: 8 },
    });
  });

  it("takes model names with slashes, plain and escaped", async () => {
    expect(await client("org/toy").summarization({ inputs })).toHaveProperty("summary_text");
    expect(await client("org%2Ftoy").summarization({ inputs })).toHaveProperty("summary_text");
  });

  it("takes the task's own parameters", async () => {
    const parameters = {
      truncation: "do_not_truncate",
      clean_up_tokenization_spaces: true,
      generate_parameters: { sentences: 2 },
    } as const;
    expect(await client("toy").summarization({ inputs, parameters })).toMatchObject({
      summary_text: "One went out. Two came back.",
    });
  });

  it("takes the model's parameters in either spelling", async () => {
    const parameters = { generate_parameters: { max_words: 50, maxWords: null } } as const;
    expect(await client("toy").summarization({ inputs, parameters })).toHaveProperty(
      "summary_text",
    );
  });

  it.each([
    [{ max_length: 20 }, "max_length"],
    [{ num_beams: 4, early_stopping: true }, "num_beams"],
  ])("refuses the parameters %j of another kind of model, by name", async (generation, name) => {
    const error = await refusal(
      client("toy").summarization({ inputs, parameters: { generate_parameters: generation } }),
    );
    expect(error.httpResponse.status).toBe(400);
    expect(error.message).toContain(`${name} does not apply to the model toy`);
  });

  it("shows the server's words and the request's id", async () => {
    const error = await refusal(client("nope/x").summarization({ inputs }));
    expect(error.httpResponse.status).toBe(404);
    expect(error.message).toContain('no model named "nope/x"');
    expect(error.message).toContain("toy, org/toy");
    expect(error.httpResponse.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("fails once, without trying again, on whatever is wrong", async () => {
    expect((await refusal(client("toy").summarization({ inputs: "  " }))).httpResponse.status).toBe(
      400,
    );
    expect(requests).toBe(1);
    expect(
      (await refusal(client("toy", "wrong").summarization({ inputs }))).httpResponse.status,
    ).toBe(401);
    expect(requests).toBe(1);
    expect(
      (await refusal(client("toy").summarization({ inputs: "CRASH" }))).httpResponse.status,
    ).toBe(500);
    expect(requests).toBe(1);
  });
});

it("finds a folder whose name begins with a dot, which no client sends in a path", async () => {
  const toy = createToyService();
  const [summarizer] = toy.summarizers.values() as Iterable<Summarizer>;
  const summarizers = new Map([
    ["toy", summarizer],
    ["./toy", summarizer],
    ["./models/toy", summarizer],
  ]) as Map<string, Summarizer>;
  const config = resolveServeConfig({ port: 0, logLevel: "silent" }, {});
  const own = await startServer(config, { ...toy, summarizers });
  const post = async (path: string) =>
    await fetch(`${own.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs }),
    });
  try {
    for (const path of ["/models/./models/toy", "/models/models/toy", "/models/.%2Fmodels%2Ftoy"])
      expect(await (await post(path)).json()).toMatchObject([{ summary_text: "One went out." }]);
    expect((await post("/models/other")).status).toBe(404);
  } finally {
    await own.close();
  }
});

describe("a request by hand", () => {
  async function post(body: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${server.url}/models/toy`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "hf_token" },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  it("is answered with a list, as the client wants it", async () => {
    expect((await post({ inputs, options: { wait_for_model: true } })).body).toEqual([
      {
        summary_text: "One went out.",
        model: "toy",
        version: "1",
        truncated: false,
        usage: { inputTokens: 8, usedTokens: 8, outputTokens: 3, chunks: 1 },
      },
    ]);
  });

  it.each([
    [{}, "inputs is missing"],
    [{ inputs: ["a"] }, "inputs must be of type string"],
    [{ inputs, parameters: { truncation: "some" } }, "parameters/truncation"],
    [{ inputs, parameters: { sentences: 0 } }, "sentences"],
    [{ inputs, parameters: [] }, "parameters"],
    [[], "the body must be of type object"],
  ])("%j is answered with an error in words", async (body, words) => {
    expect(await post(body)).toEqual({
      status: 400,
      body: {
        error: expect.stringContaining(words),
        code: "FIELDS_INVALID",
        requestId: expect.any(String),
      },
    });
  });
});
