// Every kind of failed answer becomes a message, a hint and an id.
import { describe, expect, it } from "vitest";
import { readProblem } from "./problem.js";

describe("readProblem", () => {
  it("reads problem+json whole", async () => {
    const body = {
      type: "urn:bridle:error:REQUEST_INVALID",
      title: "Bad request",
      status: 400,
      detail: "The request is wrong.",
      code: "REQUEST_INVALID",
      hint: "See /docs.",
      requestId: "r-1",
      errors: [{ pointer: "#/parameters/ratio", detail: "Too big" }],
    };
    const problem = await readProblem(Response.json(body, { status: 400 }));
    expect(problem).toMatchObject({
      status: 400,
      code: "REQUEST_INVALID",
      message: "The request is wrong.",
      hint: "See /docs.",
      requestId: "r-1",
      fields: [{ pointer: "#/parameters/ratio", detail: "Too big" }],
    });
  });

  it.each(["<html>Bad gateway</html>", '"text"', "null", ""])(
    "makes do with %j from something in between",
    async (body) => {
      const headers = { "x-request-id": "r-2" };
      const problem = await readProblem(new Response(body, { status: 502, headers }));
      expect(problem).toMatchObject({ status: 502, code: "HTTP_502", requestId: "r-2" });
      expect(problem.message).toContain("502");
      expect(problem.hint).toContain("proxy");
    },
  );
});
