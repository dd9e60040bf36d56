// The frame of a report: one HTML page with its sheet, for light and dark ground, that needs nothing from elsewhere.

const sheet = `
  :root {
    color-scheme: light dark;
    --page: #eff2ee; --surface: #ffffff; --ink: #18211d; --quiet: #59665f; --line: #dde3de;
    --bar: #4f8a6d; --mark: #b4562a; --good: #1d7a4c; --bad: #b3261e; --note: #6b5a14;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --page: #111614; --surface: #1a211e; --ink: #e4eae6; --quiet: #98a59e; --line: #2e3833;
      --bar: #5fa583; --mark: #f0a37a; --good: #63c796; --bad: #ff8f86; --note: #d9c26a;
    }
  }
  * { box-sizing: border-box; }
  body { margin: 0; padding: 2rem 1rem 3rem; background: var(--page); color: var(--ink);
    font: 15px/1.5 system-ui, sans-serif; }
  main { max-width: 68rem; margin: 0 auto; display: grid; gap: 1rem; }
  main > * { min-width: 0; }
  h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0 0 .75rem; }
  h1 small, h2 small { font-weight: 400; color: var(--quiet); font-size: .8em; margin-left: .4rem; }
  small { color: var(--quiet); }
  section { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.25rem; }
  section p { margin: 0; }
  .verdict { font-weight: 600; margin: .25rem 0 0; }
  .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .note { color: var(--note); }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; min-width: 42rem; }
  th, td { text-align: left; vertical-align: top; padding: .45rem .9rem .45rem 0; border-top: 1px solid var(--line);
    overflow-wrap: break-word; }
  th { border-top: 0; color: var(--quiet); font-weight: 500; font-size: .85rem; }
  td.number, th.number, .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
  th:last-child, td:last-child { padding-right: 0; }
  details { color: var(--quiet); font-size: .9rem; } summary { cursor: pointer; width: fit-content; }
  details ul { margin: .25rem 0 0; padding-left: 1.1rem; overflow-wrap: anywhere; }
  .panels { display: grid; gap: 1rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); }
  figure { margin: 0; max-width: 30rem; } figcaption { font-size: .85rem; color: var(--quiet); min-height: 2.6em; }
  figcaption b { color: var(--ink); display: block; }
  svg { display: block; width: 100%; height: auto; }
  svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); }
  .bar { fill: var(--bar); } .axis { stroke: var(--line); }
  .median { stroke: var(--mark); stroke-width: 1.5; } .range { stroke: var(--mark); stroke-width: 3; opacity: .55; }
  .language { display: grid; grid-template-columns: 4.5rem 1fr 8.5rem; gap: .6rem; align-items: center; font-size: .9rem; }
  .track { background: var(--line); border-radius: 3px; height: .6rem; overflow: hidden; display: block; }
  .track span { display: block; height: 100%; background: var(--bar); min-width: 1px; }
  footer { color: var(--quiet); font-size: .85rem; }
`;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text as it may stand in HTML, in an attribute too. Halves of characters, which no file can hold, become U+FFFD. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => entities[sign]!).replace(/\p{Surrogate}/gu, "\ufffd");
}

/** @param page.title as it is; page.body as HTML */
export function pageOf({ title, body }: { readonly title: string; readonly body: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${sheet}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}
