// Versions of data as rows of a table: what each is, who used it, and where it is.
import type { BriefData, DataModel, DataRole } from "../api/data.js";
import { count } from "../shell/figures.js";
import { ago, bytes, moment } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import classes from "./data-page.module.css";

export const roleNames: Readonly<Record<DataRole, string>> = {
  train: "training",
  validation: "validation",
  test: "evaluation",
};

export function shortHash({ sha256, md5 }: Pick<BriefData, "sha256" | "md5">): string {
  return sha256?.slice(0, 12) ?? md5?.slice(0, 12) ?? "";
}

export function dataHref(id: string): string {
  return `/data/${encodeURIComponent(id)}`;
}

export function DataRows({
  label,
  of,
}: {
  readonly label: string;
  readonly of: readonly BriefData[];
}) {
  return (
    <Table label={label}>
      <thead>
        <tr>
          <th scope="col">Data</th>
          <th scope="col">Version</th>
          <th scope="col" className={table.number}>
            Rows
          </th>
          <th scope="col" className={table.number}>
            Size
          </th>
          <th scope="col">Used for</th>
          <th scope="col" className={table.number}>
            Runs
          </th>
          <th scope="col">Models</th>
          <th scope="col">Where</th>
          <th scope="col">Last used</th>
        </tr>
      </thead>
      <tbody>
        {of.map((each) => (
          <Row key={each.id} of={each} />
        ))}
      </tbody>
    </Table>
  );
}

function Row({ of }: { readonly of: BriefData }) {
  const { id, path, rows, sizeBytes, fileCount, usedAs, runs, models, lastUsedAt } = of;
  return (
    <tr>
      <th scope="row" className={classes.path}>
        <Link href={dataHref(id)}>{path}</Link>
      </th>
      <td className={table.mono} title={of.sha256 ?? of.md5 ?? undefined}>
        {shortHash(of) || <span className={table.quiet}>not recorded</span>}
      </td>
      <td className={table.number}>{rows === null ? "" : count(rows)}</td>
      <td className={table.number}>
        {sizeBytes === null ? "" : bytes(sizeBytes)}
        {fileCount !== null && <span className={classes.files}>{count(fileCount)} files</span>}
      </td>
      <td className={table.nowrap}>{usedAs.map((role) => roleNames[role]).join(", ")}</td>
      <td className={table.number}>{runs === 0 ? "" : count(runs)}</td>
      <td>
        <Models of={models} />
      </td>
      <td className={table.nowrap}>
        <Places of={of} />
      </td>
      <td className={table.nowrap} title={lastUsedAt === null ? undefined : moment(lastUsedAt)}>
        {lastUsedAt === null ? <span className={table.quiet}>not yet</span> : ago(lastUsedAt)}
      </td>
    </tr>
  );
}

/** So many are named; the version's page has all. */
const mostModels = 3;

function Models({ of }: { readonly of: readonly DataModel[] }) {
  const names = [...new Set(of.map(({ model, version }) => `${model}:${version}`))];
  return (
    <span className={classes.models}>
      {names.slice(0, mostModels).map((name) => (
        <Link key={name} href={`/registry/${name.split(":").map(encodeURIComponent).join("/")}`}>
          {name}
        </Link>
      ))}
      {names.length > mostModels && (
        <span className={table.quiet}>and {names.length - mostModels} more</span>
      )}
    </span>
  );
}

export function Places({
  of: { isHere, isTracked },
}: {
  readonly of: Pick<BriefData, "isHere" | "isTracked">;
}) {
  const told = [...(isHere ? ["in the folder"] : []), ...(isTracked ? ["tracked"] : [])];
  return told.length === 0 ? <span className={table.quiet}>not here</span> : told.join(", ");
}
