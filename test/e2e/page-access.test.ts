// The page by keyboard, by assistive technology, in the dark and on a phone, in real Chromium.
import { expect, it } from "vitest";
import { barriers, describePage, paste, press, startPages, summarized } from "./page-driver.js";
import { story } from "./toy-documents.js";

describePage("the page for everybody", () => {
  const open = startPages();

  it("needs no mouse", async () => {
    const page = await open();
    const focused = () =>
      page.evaluate(() => {
        const element = document.activeElement;
        return `${element?.id} ${element?.getAttribute("aria-label") ?? ""} ${element?.textContent}`;
      });
    const tabTo = async (wanted: RegExp) => {
      const passed: string[] = [];
      for (let press = 0; press < 30; press += 1) {
        await page.keyboard.press("Tab");
        const here = await focused();
        if (wanted.test(here)) return;
        passed.push(here.slice(0, 40));
      }
      expect.fail(`Tab never came to ${wanted}; it came to ${passed.join(" | ")}`);
    };
    await tabTo(/Skip to the document/);
    await tabTo(/Document text/);
    await tabTo(/lighthouse/);
    await page.keyboard.press("Enter");
    await page.getByText(/^\d+ words$/).waitFor();
    await tabTo(/Number of sentences/);
    await page.keyboard.press("ArrowUp");
    const { request } = await summarized(page, async () => {
      await page.keyboard.press("Control+Enter");
    });
    expect(request.parameters).toEqual({ sentences: 4 });
    await tabTo(/^summary-1 /);
    await page.locator("#source-1[data-on]").waitFor();
    await page.keyboard.press("ArrowDown");
    expect(await focused()).toMatch(/^summary-2 /);
    await page.keyboard.press("End");
    expect(await focused()).toMatch(/^summary-4 /);
    await page.keyboard.press("Enter");
    expect(await focused()).toMatch(/^source-4 /);
    await page.keyboard.press("ArrowUp");
    expect(await focused()).toMatch(/^source-3 /);
    await page.keyboard.press("Enter");
    expect(await focused()).toMatch(/^summary-3 /);
    const outline = await page.evaluate(
      () => getComputedStyle(document.activeElement as Element).outlineStyle,
    );
    expect(outline).toBe("solid");
  });

  it("goes on at the summary when the text field gives way to the marked document", async () => {
    const page = await open();
    await paste(page, story.join(" "));
    await summarized(page, () => page.keyboard.press("Control+Enter"));
    await page.waitForFunction(() => document.activeElement?.id === "summary-heading");
    const said = page.getByRole("status").filter({ hasText: "Summary ready: 3 sentences" });
    await said.waitFor({ state: "attached" });
  });

  it("follows the system's colours, and remembers when told otherwise", async () => {
    const page = await open({ colorScheme: "dark" });
    const lightness = () =>
      page.evaluate(() => {
        const [red = 0, green = 0, blue = 0] = (
          getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? []
        ).map(Number);
        return (red + green + blue) / 3;
      });
    expect(await lightness()).toBeLessThan(40);
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(lightness).toBeGreaterThan(215);
    await page.getByRole("button", { name: /^Colours/ }).click();
    await page.getByRole("menuitemradio", { name: "Dark" }).click();
    await expect.poll(lightness).toBeLessThan(40);
    await page.reload();
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(await lightness()).toBeLessThan(40);
  });

  it.each([390, 360, 320])("fits a phone %i px wide", async (width) => {
    const page = await open({
      viewport: { width, height: 780 },
      hasTouch: true,
      isMobile: true,
    });
    const overflow = () =>
      page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(await overflow()).toBeLessThanOrEqual(0);
    const word = "Donaudampfschifffahrtsgesellschaft".repeat(12);
    await paste(page, `${word} ${story.join(" ")}`);
    await page.getByText("Share", { exact: true }).tap();
    await page.getByRole("slider").focus();
    await page.keyboard.press("End");
    await summarized(page, () => page.getByRole("button", { name: "Summarize" }).tap());
    expect(await overflow()).toBeLessThanOrEqual(0);
    // What was asked for is in sight without scrolling by hand.
    await page.waitForFunction(() => {
      const top = document.querySelector("#summary-heading")?.getBoundingClientRect().top;
      return top !== undefined && top >= 0 && top < window.innerHeight * 0.75;
    });
    await page.getByRole("button", { name: "Clear the document" }).tap();
    await press(page);
    await page.getByRole("alert").waitFor();
    expect(await overflow()).toBeLessThanOrEqual(0);
  });

  it.each(["light", "dark"] as const)("has no barriers that axe-core knows, %s", async (scheme) => {
    const page = await open({ colorScheme: scheme });
    expect(await barriers(page)).toEqual([]);
    await press(page);
    await page.getByRole("alert").waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.getByRole("button", { name: /lighthouse/ }).click();
    expect(await barriers(page)).toEqual([]);
    await summarized(page, () => press(page));
    await page.hover("#summary-2");
    await page.locator("#source-2[data-on]").waitFor();
    expect(await barriers(page)).toEqual([]);
  });
});
