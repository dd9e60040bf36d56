// What data hold, as `bridle data stats` tells it: lengths, ratios, novelty, languages, and what a look at them finds.
import type { DataStatistics, SplitProfile } from "../api/data.js";
import { Bars } from "../shell/bars.js";
import { count, percent } from "../shell/figures.js";
import { CommandLine, Waiting } from "../shell/states.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import classes from "./data-page.module.css";
import { Histogram } from "./histogram.js";

export function Statistics({ of, path }: { readonly of: DataStatistics; readonly path: string }) {
  if (of.state === "computing") {
    return (
      <>
        <p className={classes.plain} role="status">
          Every row is being read; large files take minutes. The page shows what comes of it by
          itself.
        </p>
        <Waiting lines={4} />
      </>
    );
  }
  if (of.state === "failed") {
    return (
      <p className={classes.plain}>
        It could not be read as rows: {of.message} <code>{of.code}</code>
      </p>
    );
  }
  if (of.state === "unavailable") {
    return (
      <div className={classes.command}>
        <p className={classes.plain}>{reasons[of.reason]}</p>
        {of.reason === "too-large" && (
          <CommandLine command={`bridle data stats ${path} --report stats.html`} />
        )}
      </div>
    );
  }
  return <Profile of={of.split} />;
}

const reasons = {
  "no-project":
    "What it holds is read from the project's files, and this server was not started in a project's folder.",
  "not-here":
    "What it holds is read from the project's files, and this version is not among them: the path is gone, or has another content now. For tracked data, `bridle data checkout` brings a version back.",
  "too-large": "It is larger than the page reads by itself. A shell has the time:",
} as const;

/** What a look finds, in the words of `bridle data check`. */
const faults = [
  ["broken", "Rows that cannot be read"],
  ["emptyDocuments", "Empty documents"],
  ["emptySummaries", "Empty summaries"],
  ["duplicates", "Documents that stood before"],
  ["nearDuplicates", "Near duplicates"],
  ["longSummaries", "Summaries as long as their documents"],
  ["languageMismatch", "Summaries in another language"],
  ["encodingFaults", "Faults of encoding"],
  ["personalData", "Hints at personal data"],
] as const;

/** Languages by themselves; rarer ones are put together. */
const mostLanguages = 6;

function Profile({ of }: { readonly of: SplitProfile }) {
  const { documentWords, summaryWords, ratio, novelWords, novelPairs, languages, rows } = of;
  const all = languages.reduce((sum, each) => sum + each.rows, 0);
  const rest = languages.slice(mostLanguages).reduce((sum, each) => sum + each.rows, 0);
  const shown = [
    ...languages.slice(0, mostLanguages),
    ...(rest > 0 ? [{ language: "others", rows: rest }] : []),
  ];
  const found = faults.filter(([name]) => of[name].rows > 0);
  return (
    <div className={classes.plots}>
      {documentWords && <Histogram title="Documents" unit="words" of={documentWords} />}
      {summaryWords && <Histogram title="Summaries" unit="words" of={summaryWords} />}
      {ratio && (
        <Histogram title="Summary to document" unit="words over words" of={ratio} isShare />
      )}
      {novelWords && (
        <Histogram
          title="New words"
          unit="share of a summary's words that its document lacks"
          of={novelWords}
          isShare
        />
      )}
      {novelPairs && (
        <Histogram
          title="New pairs of words"
          unit="share of a summary's pairs"
          of={novelPairs}
          isShare
        />
      )}
      <div>
        <h3 className={classes.heading}>Languages of the documents</h3>
        <Bars
          label="Languages"
          of={shown.map(({ language, rows: own }) => ({
            key: language,
            name: languageName(language),
            share: own / all,
            text: `${count(own)} rows, ${percent(own / all)}`,
          }))}
        />
      </div>
      <div>
        <h3 className={classes.heading}>What a look finds</h3>
        {found.length === 0 ? (
          <p className={classes.plain}>Nothing to be mended.</p>
        ) : (
          <Bars
            label="What a look finds"
            of={found.map(([name, told]) => ({
              key: name,
              name: told,
              share: of[name].rows / Math.max(1, rows),
              text: `${count(of[name].rows)} rows, ${percent(of[name].rows / Math.max(1, rows))}`,
            }))}
          />
        )}
      </div>
      <div>
        <h3 className={classes.heading}>Columns</h3>
        <Table label="Columns">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Kinds</th>
              <th scope="col" className={table.number}>
                Rows
              </th>
            </tr>
          </thead>
          <tbody>
            {of.columns.map(({ name, kinds, rows: own }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{Object.keys(kinds).join(", ")}</td>
                <td className={table.number}>{count(own)}</td>
              </tr>
            ))}
          </tbody>
        </Table>
      </div>
    </div>
  );
}

const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

function languageName(code: string): string {
  if (!/^[a-z]{2,3}$/.test(code)) return code;
  try {
    return names.of(code) ?? code;
  } catch {
    return code;
  }
}
