// Tests what the original routes answer where a text has nothing to summarize, which is found out in its turn.
import { afterAll, beforeAll, expect, it } from "vitest";
import { startToy, type ToyServer } from "../../test/contract/toy-service.js";

let server: ToyServer;
beforeAll(async () => {
  server = await startToy();
});
afterAll(() => server.close());

const tooShort = (input: string) => ({
  detail: [{ type: "string_too_short", loc: ["body", "content"], input }],
});

it("answers a text without a word as FastAPI answers a blank one", async () => {
  const response = await fetch(`${server.url}/bert`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ content: "… !" }),
  });
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject(tooShort("… !"));
});

it.each(["", " \n", "… !"])("answers the same to a file with %j", async (text) => {
  const body = new FormData();
  body.set("file", new File([text], "a.txt"));
  const response = await fetch(`${server.url}/bert-file/`, { method: "POST", body });
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject(tooShort(text));
});
