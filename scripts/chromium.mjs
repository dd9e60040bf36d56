// Finds a Chromium on this machine and opens it so that the browser itself reaches nothing beyond it.
// @ts-check
import { existsSync } from "node:fs";
import process from "node:process";
import { chromium } from "playwright-core";

const usualPlaces = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/**
 * Where Chromium is: what $CHROMIUM_PATH says, else the first usual place that has one.
 * @returns {string | undefined}
 */
export function findChromium() {
  return process.env.CHROMIUM_PATH || usualPlaces.find((place) => existsSync(place));
}

/** What to say where there is none. */
export const chromiumMissing = "no Chromium found; install one, or set CHROMIUM_PATH";

/** @param {string} executablePath */
export function openChromium(executablePath) {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
