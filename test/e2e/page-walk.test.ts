// Walks every page in light and dark, at desktop and phone width: nothing is wider than the screen, nothing bars anybody.
import { expect, it } from "vitest";
import { barriers, describePage, startPages } from "./page-driver.js";

const sizes = {
  desktop: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
} as const;

/** Each page with what is to be seen once it is there. */
const pages = [
  ["/", "Document"],
  ["/configure", "params.yaml"],
  ["/system", "Answers by route"],
] as const;

const cases = pages.flatMap(([path, sight]) =>
  (["light", "dark"] as const).flatMap((scheme) =>
    (["desktop", "phone"] as const).map((size) => [path, scheme, size, sight] as const),
  ),
);

describePage("a walk through the pages", () => {
  const open = startPages();

  it.each(cases)("%s, %s, %s", async (path, colorScheme, size, sight) => {
    const page = await open({ colorScheme, ...sizes[size] }, path);
    await page.getByRole("heading", { name: sight }).waitFor();
    expect(await barriers(page)).toEqual([]);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
