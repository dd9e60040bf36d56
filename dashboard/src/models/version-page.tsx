// One version of a model: what it is for, how good it is, what it came from, and its place in the family.
import { Button } from "@mantine/core";
import { ArrowUp } from "lucide-react";
import { useState } from "react";
import { getModel, getVersion, type ModelDetail, type Version } from "../api/registry.js";
import { type Fact, Facts, Figures } from "../shell/facts.js";
import { count, roughly } from "../shell/figures.js";
import { ago, bytes, moment } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import type { PageProps } from "../shell/pages.js";
import { Shown, Waiting } from "../shell/states.js";
import { useResource } from "../shell/use-resource.js";
import { AliasMark } from "./alias-mark.js";
import { HowGood } from "./evaluations.js";
import { LineageGraph } from "./lineage-graph.js";
import { MoveDialog, type PlannedMove } from "./move-dialog.js";
import { production } from "./moves.js";
import { OriginGraph } from "./origin-graph.js";
import { SignatureView } from "./signature-view.js";
import classes from "./version-page.module.css";

/** What came of it may be a version of another model. */
const family = ["models"] as const;

export default function VersionPage({ params }: PageProps) {
  const { name = "", version: asked = "" } = params;
  const version = useResource(
    `version ${name} ${asked}`,
    (signal) => getVersion(name, asked, signal),
    { about: family },
  );
  const model = useResource(`model ${name}`, (signal) => getModel(name, signal), {
    about: [`models/${name}`],
  });
  const [planned, setPlanned] = useState<PlannedMove>();
  const shown = `${name}:${version.data?.version ?? asked}`;
  const reload = () => {
    version.reload();
    model.reload();
  };
  return (
    <PageFrame
      title={shown}
      heading={
        <>
          {shown}
          {version.data?.aliases.map((alias) => (
            <AliasMark key={alias} alias={alias} />
          ))}
        </>
      }
      crumbs={[
        { label: "Models", href: "/registry" },
        { label: name, href: `/registry/${encodeURIComponent(name)}` },
      ]}
      about={version.data !== undefined && <Made of={version.data} />}
      actions={
        version.data?.aliases.includes(production) ? (
          <span className={classes.standing}>in production</span>
        ) : (
          version.data?.collectedAt === null &&
          model.data !== undefined && (
            <Button
              leftSection={<ArrowUp size={16} />}
              onClick={() => setPlanned(planOf(model.data, version.data))}
            >
              Promote
            </Button>
          )
        )
      }
    >
      <Shown of={version} waiting={<Waiting lines={8} />}>
        {(found) => <Found of={found} />}
      </Shown>
      <MoveDialog plan={planned} onClose={() => setPlanned(undefined)} onMoved={reload} />
    </PageFrame>
  );
}

function planOf(model: ModelDetail | undefined, of: Version | undefined): PlannedMove | undefined {
  if (model === undefined || of === undefined) return undefined;
  const { name, aliases, gates } = model;
  return { model: name, aliases, guarded: gates.aliases, to: { version: of.version } };
}

function Made({ of: { createdAt, createdBy, note } }: { readonly of: Version }) {
  return (
    <>
      Registered <span title={createdAt}>{ago(Date.parse(createdAt))}</span> by {createdBy}
      {note !== null && <> · {note}</>}
    </>
  );
}

function Found({ of }: { readonly of: Version }) {
  const { card, lineage, signature, sizeBytes, collectedAt } = of;
  return (
    <>
      <Figures
        of={[
          {
            name: "Architecture",
            value: card.model.architecture.replace(/ForConditionalGeneration$/, ""),
          },
          { name: "Parameters", value: roughly(card.model.parameters), note: card.model.dtype },
          {
            name: "Size",
            value: bytes(sizeBytes),
            ...(collectedAt !== null && { note: `deleted ${ago(Date.parse(collectedAt))}` }),
          },
          {
            name: "Licence",
            value: card.licence.id ?? "not stated",
            ...(licenceNotes[card.licence.source] !== undefined && {
              note: licenceNotes[card.licence.source],
            }),
          },
          { name: "Languages", value: card.languages.join(", ") || "not stated" },
        ]}
      />
      <Card title="How good it is" isFlush>
        <HowGood of={of} />
      </Card>
      <div className={classes.pair}>
        <Card title="What it is for">
          <div className={classes.text}>
            {card.description !== null && <p>{card.description}</p>}
            <h3>Intended use</h3>
            <p>{card.intendedUse}</p>
            <h3>Limitations</h3>
            <p>{card.limitations}</p>
          </div>
        </Card>
        <Card title="Where it comes from">
          <Facts of={originsOf(of)} />
        </Card>
      </div>
      {signature !== null && (
        <Card title="Inputs and outputs">
          <SignatureView of={signature} />
        </Card>
      )}
      <Card title="How it came to be" isFlush>
        <OriginGraph of={of} />
      </Card>
      <Card title="Lineage" isFlush>
        <LineageGraph of={lineage} here={`${of.model}:${of.version}`} />
      </Card>
    </>
  );
}

const licenceNotes: Readonly<Record<string, string>> = {
  given: "said when it was registered",
  model: "said by the model's own files",
  parent: "that of the model it was trained from",
};

function originsOf({ card, digest }: Version): readonly Fact[] {
  const { parent, runId, commit, seed, step, trainedAt } = card.lineage;
  const mono = (text: string) => <span className={classes.mono}>{text}</span>;
  const told: (Fact | false)[] = [
    parent !== null && {
      name: "Trained from",
      value:
        parent.version === null ? (
          parent.name
        ) : (
          <Link href={`/registry/${encodeURIComponent(parent.name)}/${parent.version}`}>
            {parent.name}:{parent.version}
          </Link>
        ),
    },
    runId !== null && {
      name: "Run",
      value: <Link href={`/runs/${encodeURIComponent(runId)}`}>{runId}</Link>,
    },
    trainedAt !== null && { name: "Trained", value: moment(Date.parse(trainedAt)) },
    step !== null && { name: "Step", value: count(step) },
    seed !== null && { name: "Seed", value: String(seed) },
    commit !== null && { name: "Commit", value: mono(commit) },
    ...card.data.map(({ file, sha256 }) => ({
      name: "Data",
      value: <Link href={`/data/${sha256.slice(0, 16)}`}>{file}</Link>,
      note: mono(`sha256 ${sha256}`),
    })),
    { name: "Architecture", value: card.model.architecture },
    { name: "Package", value: mono(digest) },
  ];
  return told.filter((fact) => fact !== false);
}
