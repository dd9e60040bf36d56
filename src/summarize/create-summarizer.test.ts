// Tests that what only neural models have is not passed over in silence for the extractive one.
import { expect, it } from "vitest";
import { type CreateSummarizerOptions, createSummarizer } from "./create-summarizer.js";

it.each<[CreateSummarizerOptions, string]>([
  [{ dtype: "int8" }, 'dtype is "int8"; it must be left out: the extractive model has none.'],
  [{ dtype: "fp32", model: "extractive" }, 'dtype is "fp32"'],
  [{ device: "webgpu" }, 'device is "webgpu"; it must be left out: the extractive model runs on'],
])("refuses %j of the extractive model", async (options, message) => {
  await expect(createSummarizer(options)).rejects.toMatchObject({
    code: "INVALID_PARAMETER",
    message: expect.stringContaining(message),
  });
});

it.each<CreateSummarizerOptions>([{}, { device: "auto" }, { device: "cpu" }])(
  "takes %j for the extractive model, which is so anyway",
  async (options) => {
    const summarizer = await createSummarizer(options);
    expect(summarizer.traits).toMatchObject({ kind: "extractive", device: "cpu", dtype: null });
    await summarizer.close();
  },
);
