// The page at /docs draws the whole API in a real browser, without reaching beyond its own server.
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumMissing, findChromium, openChromium } from "../../scripts/chromium.mjs";
import { startToy, type ToyServer } from "../contract/toy-service.js";

const executable = findChromium();
const docs = fileURLToPath(new URL("../../node_modules/swagger-ui-dist", import.meta.url));

describe.skipIf(executable === undefined)(
  `/docs${executable === undefined ? ` (${chromiumMissing})` : ""}`,
  () => {
    let server: ToyServer;
    let browser: Browser;
    beforeAll(async () => {
      server = await startToy({}, { dashboard: "/nonexistent", docs });
      browser = await openChromium(executable ?? "");
    });
    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });

    it("lists the routes and sends a request from the page", async () => {
      const page = await browser.newPage();
      const complaints: string[] = [];
      const elsewhere: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith(server.url) && !request.url().startsWith("data:")) {
          elsewhere.push(request.url());
        }
      });
      await page.goto(`${server.url}/docs`);
      await page.locator("#operations-Original-bert").waitFor();
      await expect.poll(() => page.locator(".opblock").count()).toBe(42);
      await expect.poll(() => page.locator(".info .title").textContent()).toContain("Bridle");

      await page.locator("#operations-Original-bert .opblock-summary").click();
      await page
        .locator("#operations-Original-bert textarea")
        .fill('{"content":"One went out. Two came."}');
      await page.locator("#operations-Original-bert .execute").click();
      const answer = page.locator("#operations-Original-bert .live-responses-table");
      await answer.getByText("One went out.").waitFor();
      expect(elsewhere).toEqual([]);
      expect(complaints).toEqual([]);
    });
  },
);
