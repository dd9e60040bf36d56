// Paths are called by their last part, hub ids by the whole of their name.
import { expect, it } from "vitest";
import { shortName } from "./model-name.js";

it.each([
  ["extractive", "extractive"],
  ["google/pegasus-xsum", "google/pegasus-xsum"],
  ["../shared/models/pegasus-tiny/", "pegasus-tiny"],
  ["/srv/models/news", "news"],
  ["C:\\models\\news", "news"],
  ["models/news/v3", "v3"],
])("calls %s %s", (name, short) => {
  expect(shortName(name)).toBe(short);
});
