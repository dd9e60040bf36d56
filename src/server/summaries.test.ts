// Tests that piles of documents leave room for those who have one.
import { expect, it } from "vitest";
import { startToy, until } from "../../test/contract/toy-service.js";

it("answers one document while piles hold all the places that they may", async () => {
  const server = await startToy({ concurrency: 2 });
  const post = (path: string, body: object) =>
    fetch(server.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-timeout-ms": "20000" },
      body: JSON.stringify(body),
    });
  const piles = [1, 2, 3].map((number) =>
    post("/v1/summaries:batch", {
      documents: [`SLOW ${number}. Long.`, `Quick ${number}. Short.`],
    }),
  );
  // One has its turn, with its slow document, and the others wait.
  await until(() => server.service.running === 1);
  await until(async () => {
    const info = (await (await fetch(`${server.url}/info`)).json()) as {
      process: { active: number; waiting: number };
    };
    return info.process.active === 1 && info.process.waiting === 2;
  });
  const one = await post("/v1/summaries", { document: "Alone. At once." });
  expect(await one.json()).toMatchObject({ summary: "Alone." });
  const releasing = setInterval(() => server.service.release(), 10);
  for (const [index, answer] of (await Promise.all(piles)).entries()) {
    expect(await answer.json()).toMatchObject({
      results: [{ summary: `SLOW ${index + 1}.` }, { summary: `Quick ${index + 1}.` }],
    });
  }
  clearInterval(releasing);
  await server.close();
});
