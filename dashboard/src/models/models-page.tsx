// The registered models: each with its newest version and what its aliases point at.
import { Boxes } from "lucide-react";
import { listRegistered, type RegisteredModel } from "../api/registry.js";
import { counted } from "../shell/figures.js";
import { ago } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import { Empty, Shown } from "../shell/states.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { useResource } from "../shell/use-resource.js";
import { AliasMark } from "./alias-mark.js";

const about = ["models"] as const;

export default function ModelsPage() {
  const found = useResource("registered models", listRegistered, { about });
  return (
    <PageFrame
      title="Models"
      about="What was registered, which version is in production, and how it came there."
    >
      <Shown of={found}>
        {({ registered }) =>
          registered === null ? (
            <Empty icon={Boxes} title="The registry does not answer" commands={["bridle doctor"]}>
              Models that are served go on answering. The doctor says what is wrong with its
              database.
            </Empty>
          ) : registered === undefined || registered.length === 0 ? (
            <NoneYet />
          ) : (
            <Models models={registered} />
          )
        }
      </Shown>
    </PageFrame>
  );
}

function NoneYet() {
  return (
    <Empty
      icon={Boxes}
      title="No model is registered yet"
      commands={["bridle models add ./my-model --name news", "bridle serve --model news@champion"]}
    >
      A registered model has versions that never change and aliases that say which one is in use.
      Add the folder of a trained model, and promote it when it is good enough.
    </Empty>
  );
}

function Models({ models }: { readonly models: readonly RegisteredModel[] }) {
  return (
    <Card isFlush>
      <Table label="Registered models">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Versions</th>
            <th scope="col">Aliases</th>
            <th scope="col">Last moved</th>
            <th scope="col">Registered</th>
          </tr>
        </thead>
        <tbody>
          {models.map(({ name, lastVersion, aliases, createdAt, createdBy }) => {
            const last = [...aliases].sort((a, b) => b.movedAt.localeCompare(a.movedAt))[0];
            return (
              <tr key={name}>
                <th scope="row">
                  <Link href={`/registry/${encodeURIComponent(name)}`}>{name}</Link>
                </th>
                <td className={table.nowrap}>{counted(lastVersion, "version")}</td>
                <td>
                  {aliases.length === 0 ? (
                    <span className={table.quiet}>none</span>
                  ) : (
                    aliases.map(({ alias, version }) => (
                      <AliasMark key={alias} alias={alias} version={version} />
                    ))
                  )}
                </td>
                <td className={table.nowrap}>
                  {last === undefined ? (
                    <span className={table.quiet}>never</span>
                  ) : (
                    <span title={last.movedAt}>
                      {ago(Date.parse(last.movedAt))} by {last.movedBy}
                    </span>
                  )}
                </td>
                <td title={createdAt} className={table.nowrap}>
                  {ago(Date.parse(createdAt))} by {createdBy}
                </td>
              </tr>
            );
          })}
        </tbody>
      </Table>
    </Card>
  );
}
