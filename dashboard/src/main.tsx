// Starts the page.
import "./mantine.css";
import "./tokens.css";
import { createRoot } from "react-dom/client";
import { App } from "./app.js";
import { isFetchFault } from "./shell/fault-boundary.js";
import { preload } from "./shell/preload.js";

preload(window.location.href);
const root = document.getElementById("root");
if (root !== null) {
  createRoot(root, {
    onCaughtError: (thrown) => {
      // The page itself says so, and there is no fault in it to look for.
      if (!isFetchFault(thrown)) console.error(thrown);
    },
  }).render(<App />);
}
