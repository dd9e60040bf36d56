// A run's configuration put together in a form that comes from its schema, checked as it is filled in, and taken as params.yaml.
import { Button, Tabs } from "@mantine/core";
import { useDebouncedValue, useLocalStorage } from "@mantine/hooks";
import { Check, Copy, Download, RotateCcw } from "lucide-react";
import { useState } from "react";
import { stringify } from "yaml";
import { checkConfig, readSchema, type Schema } from "../api/run-config.js";
import { copyText, saveFile } from "../shell/clipboard.js";
import { counted } from "../shell/figures.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import { ProblemNote } from "../shell/problem-note.js";
import { Shown, Waiting } from "../shell/states.js";
import { useResource } from "../shell/use-resource.js";
import classes from "./configure-page.module.css";
import { countSet, label, type Values, valueAt, withValue } from "./fields.js";
import { GroupFields } from "./schema-field.js";

export default function ConfigurePage() {
  const schema = useResource("/v1/config/schema", readSchema);
  return (
    <PageFrame
      title="Configure"
      about="A training run as params.yaml. What is left empty keeps its default, which stands in the field."
      isWide
    >
      <Shown of={schema} waiting={<Waiting lines={8} />}>
        {(data) => <Form schema={data} />}
      </Shown>
    </PageFrame>
  );
}

const sections = ["model", "data", "train", "evaluate", "generate"];

function Form({ schema }: { readonly schema: Schema }) {
  // A half-filled form is kept until its file is: people look things up in between.
  const [values, setValues] = useLocalStorage<Values>({
    key: "bridle.configure",
    defaultValue: {},
    getInitialValueInEffect: false,
  });
  const set = (path: readonly string[], value: unknown, keeps?: readonly string[]) =>
    setValues((before) => withValue(before, path, value, keeps));
  // Fields keep what is half typed; an emptied form has new ones.
  const [turn, setTurn] = useState(0);
  const empty = () => {
    setValues({});
    setTurn((before) => before + 1);
  };
  const there = sections.filter((name) => schema.properties?.[name] !== undefined);
  return (
    <div className={classes.columns}>
      <Card>
        <Tabs defaultValue={there[0] ?? null} keepMounted={false}>
          <Tabs.List>
            {there.map((name) => {
              const isSet = valueAt(values, [name]) !== undefined;
              return (
                <Tabs.Tab key={name} value={name}>
                  {label(name)}
                  {isSet && (
                    <span className={classes.number}>{countSet(valueAt(values, [name]))}</span>
                  )}
                </Tabs.Tab>
              );
            })}
          </Tabs.List>
          {there.map((name) => (
            <Tabs.Panel key={name} value={name} pt="md">
              <GroupFields
                key={turn}
                schema={schema.properties?.[name] as Schema}
                path={[name]}
                values={values}
                onSet={set}
              />
            </Tabs.Panel>
          ))}
        </Tabs>
      </Card>
      <Result values={values} onClear={empty} />
    </div>
  );
}

function Result({ values, onClear }: { readonly values: Values; readonly onClear: () => void }) {
  const text = Object.keys(values).length === 0 ? "" : stringify(values);
  const [settled] = useDebouncedValue(text, 300);
  const check = useResource(settled === "" ? undefined : `config ${settled}`, (signal) =>
    checkConfig(values, signal),
  );
  const isHeld = check.data !== undefined && check.problem === undefined && settled === text;
  return (
    <Card title="params.yaml">
      {text === "" ? (
        <p className={classes.none}>
          Nothing is set yet: a run needs at least a model and rows to learn from,{" "}
          <code>data.train</code>.
        </p>
      ) : (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys must reach it */}
          <section className={classes.yaml} tabIndex={0} aria-label="params.yaml">
            <pre>{text}</pre>
          </section>
          <div className={classes.actions}>
            <Button
              leftSection={<Copy size={16} aria-hidden />}
              onClick={() => void copyText(text, "params.yaml is on the clipboard.")}
            >
              Copy
            </Button>
            <Button
              variant="default"
              leftSection={<Download size={16} aria-hidden />}
              onClick={() => saveFile("params.yaml", "application/yaml", text)}
            >
              Save
            </Button>
            <Button
              variant="subtle"
              color="gray"
              leftSection={<RotateCcw size={16} aria-hidden />}
              onClick={onClear}
            >
              Empty the form
            </Button>
          </div>
        </>
      )}
      <div aria-live="polite" className={classes.verdict}>
        {text !== "" && check.problem !== undefined && <ProblemNote problem={check.problem} />}
        {text !== "" && isHeld && (
          <p className={classes.fine}>
            <Check size={17} aria-hidden /> {counted(countSet(values), "key")} set, all of them
            valid. Train with <code>bridle train params.yaml</code>.
          </p>
        )}
      </div>
    </Card>
  );
}
