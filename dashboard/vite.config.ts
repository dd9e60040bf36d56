// How the page is bundled: hashed files into the package's dist/dashboard, nothing inline, nothing from elsewhere.
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Holds the first paint until the script has set the colour scheme, so that dark users see no white flash. */
const paintOnce: Plugin = {
  name: "bridle-paint-once",
  transformIndexHtml: {
    order: "post",
    handler: (html) =>
      html.replace('<script type="module"', '<script type="module" blocking="render"'),
  },
};

/** Where `vite dev` finds the API: a server started by `npm start`. */
const api = process.env.BRIDLE_URL ?? "http://127.0.0.1:8000";
const apiRoutes = [
  "/v1",
  "/bert",
  "/bert-file",
  "/models",
  "/health",
  "/ready",
  "/info",
  "/metrics",
  "/docs",
  "/openapi.json",
];

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [react(), paintOnce],
  build: {
    outDir: fileURLToPath(new URL("../dist/dashboard", import.meta.url)),
    emptyOutDir: true,
    target: ["chrome111", "firefox114", "safari16.4"],
    // A data: script or font would need a wider content security policy than the page is served with.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // The bundle holds other people's code, whose licences ask to go with it.
    license: { fileName: "licences.txt" },
  },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(
      apiRoutes.map((route) => [route, { target: api, changeOrigin: true }]),
    ),
  },
});
