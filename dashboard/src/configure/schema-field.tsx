// The fields of a group of keys, each by what its schema says; what is emptied is taken out of the values.
import { NumberInput, Select, Switch, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Schema } from "../api/run-config.js";
import { fieldOf, label, type Path, shownDefault, tagOf, type Values, valueAt } from "./fields.js";
import classes from "./schema-field.module.css";

type OnSet = (path: Path, value: unknown) => void;

interface Of {
  readonly schema: Schema;
  readonly path: Path;
  readonly values: Values;
  readonly onSet: OnSet;
}

/** Every key of a mapping. */
export function GroupFields({ schema, path, values, onSet }: Of) {
  return (
    <div className={classes.fields}>
      {Object.entries(schema.properties ?? {})
        .filter(([, each]) => each.const === undefined)
        .map(([key, each]) => (
          <SchemaField
            key={key}
            schema={each}
            path={[...path, key]}
            values={values}
            onSet={onSet}
          />
        ))}
    </div>
  );
}

function SchemaField(of: Of) {
  const { schema, path, values, onSet } = of;
  const field = fieldOf(schema);
  const value = valueAt(values, path);
  const standing = shownDefault(schema);
  const set = (next: unknown) => onSet(path, next);
  const common = {
    label: label(path.at(-1) ?? ""),
    description: schema.description,
    placeholder: standing ?? "",
  };
  switch (field.kind) {
    case "group":
      return <Group of={of} shapes={field.shapes} isOptional={field.isOptional} />;
    case "choice":
      return (
        <Select
          {...common}
          data={[...field.options]}
          value={typeof value === "string" ? value : null}
          onChange={(next) => set(next ?? undefined)}
          clearable
        />
      );
    case "flag":
      return (
        <Select
          {...common}
          data={["true", "false"]}
          value={typeof value === "boolean" ? String(value) : null}
          onChange={(next) => set(next === null ? undefined : next === "true")}
          clearable
        />
      );
    case "number":
      return (
        <NumberInput
          {...common}
          value={typeof value === "number" ? value : ""}
          onChange={(next) => set(typeof next === "number" ? next : undefined)}
          allowDecimal={!field.isWhole}
          allowNegative={field.least === undefined || field.least < 0}
          {...(field.least !== undefined && { min: field.least })}
          {...(field.most !== undefined && { max: field.most })}
          clampBehavior="none"
          hideControls
        />
      );
    case "texts":
      return (
        <TagsInput
          {...common}
          value={asTexts(value)}
          onChange={(next) => set(next.length === 0 ? undefined : next)}
          acceptValueOnBlur
          splitChars={[","]}
        />
      );
    case "text":
      return (
        <TextInput
          {...common}
          value={typeof value === "string" ? value : ""}
          onChange={({ currentTarget }) =>
            set(currentTarget.value === "" ? undefined : currentTarget.value)
          }
        />
      );
    case "json":
      return <JsonField {...common} value={value} onChange={set} />;
  }
}

function asTexts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.map(String) : [];
}

/** Keys within keys: on or off where they may be left out, and of the shape that one of them names. */
function Group({
  of: { schema, path, values, onSet },
  shapes,
  isOptional,
}: {
  readonly of: Of;
  readonly shapes: readonly Schema[];
  readonly isOptional: boolean;
}) {
  const value = valueAt(values, path) as Values | undefined;
  const [isOpen, setIsOpen] = useState(value !== undefined || !isOptional);
  const tag = tagOf(shapes);
  const names =
    tag === undefined ? [] : shapes.map((shape) => String(shape.properties?.[tag]?.const));
  const usual = (schema.default as Values | undefined)?.[tag ?? ""];
  const chosen = String(value?.[tag ?? ""] ?? usual ?? names[0] ?? "");
  const shape = tag === undefined ? shapes[0] : shapes[names.indexOf(chosen)];
  const name = label(path.at(-1) ?? "");
  return (
    <fieldset className={classes.group}>
      <legend className={classes.legend}>{name}</legend>
      {schema.description !== undefined && <p className={classes.about}>{schema.description}</p>}
      {isOptional && (
        <Switch
          label={`Use ${name.toLowerCase()}`}
          checked={isOpen}
          onChange={({ currentTarget }) => {
            setIsOpen(currentTarget.checked);
            if (!currentTarget.checked) onSet(path, undefined);
          }}
        />
      )}
      {isOpen && tag !== undefined && (
        <Select
          label={label(tag)}
          data={names}
          value={chosen}
          allowDeselect={false}
          // Another shape has other keys.
          onChange={(next) =>
            onSet(path, next === null || next === usual ? undefined : { [tag]: next })
          }
        />
      )}
      {isOpen && shape !== undefined && (
        <GroupFields schema={shape} path={path} values={values} onSet={onSet} />
      )}
    </fieldset>
  );
}

function JsonField({
  value,
  onChange,
  ...common
}: {
  readonly label: string;
  readonly description: string | undefined;
  readonly placeholder: string;
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value));
  const [fault, setFault] = useState<string>();
  return (
    <Textarea
      {...common}
      placeholder={common.placeholder || "as JSON"}
      value={text}
      error={fault}
      autosize
      minRows={1}
      onChange={({ currentTarget }) => {
        setText(currentTarget.value);
        try {
          onChange(currentTarget.value.trim() === "" ? undefined : JSON.parse(currentTarget.value));
          setFault(undefined);
        } catch {
          setFault("This is not JSON yet, and not part of params.yaml.");
        }
      }}
    />
  );
}
