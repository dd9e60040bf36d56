// The versions of data that runs and models were made of, and those that the project tracks.
import { CircleAlert, Database } from "lucide-react";
import { type BrokenFile, listData } from "../api/data.js";
import { count, counted } from "../shell/figures.js";
import notes from "../shell/notes.module.css";
import { Card, PageFrame } from "../shell/page-frame.js";
import { Empty, Shown } from "../shell/states.js";
import { useResource } from "../shell/use-resource.js";
import { DataRows } from "./data-rows.js";

const about = ["data"] as const;

export default function DataPage() {
  const found = useResource("data", listData, { about });
  return (
    <PageFrame
      title="Data"
      isWide
      about={
        found.data === undefined
          ? "What was learned from and judged on, told apart by its content."
          : `${counted(found.data.versions.length, "version")} of what was learned from and judged on, told apart by content.`
      }
    >
      <Shown of={found}>
        {({ project, versions, broken }) => (
          <>
            {project === null && <NoProject />}
            {broken.length > 0 && <Broken files={broken} />}
            {versions.length === 0 ? (
              <NoneYet />
            ) : (
              <Card isFlush>
                <DataRows label="Versions of data" of={versions} />
              </Card>
            )}
          </>
        )}
      </Shown>
    </PageFrame>
  );
}

function Broken({ files }: { readonly files: readonly BrokenFile[] }) {
  return (
    <div className={notes.problem} role="alert">
      <CircleAlert className={notes.icon} size={19} aria-hidden />
      <div className={notes.body}>
        <p className={notes.message}>
          What {files.length === 1 ? "a file" : `${count(files.length)} files`} of the project would
          name is missing here:
        </p>
        {files.map(({ path, message }) => (
          <p key={path} className={notes.hint}>
            {message}
          </p>
        ))}
      </div>
    </div>
  );
}

export function NoProject() {
  return (
    <p className={notes.notice}>
      <span className={notes.body}>
        This server was not started in a project's folder, so that it tells only what runs and
        models say of their data. Start <code>bridle serve</code> where params.yaml lies, and the
        files that are tracked there are listed too, with what they hold.
      </span>
    </p>
  );
}

function NoneYet() {
  return (
    <Empty
      icon={Database}
      title="No data is known here yet"
      commands={["bridle data add data/train.jsonl", "bridle train params.yaml"]}
    >
      Data appear here once they are tracked, or once a run has learned from them: each version by
      the hash of its content, with the runs and the models that came of it.
    </Empty>
  );
}
