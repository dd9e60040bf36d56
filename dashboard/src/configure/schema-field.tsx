// The fields of a group of keys, each by what its schema says; what is emptied is taken out of the values.
import {
  Checkbox,
  NumberInput,
  Select,
  Switch,
  TagsInput,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useState } from "react";
import type { Schema } from "../api/run-config.js";
import {
  type Field,
  fieldOf,
  label,
  type Path,
  shownDefault,
  tagOf,
  takesNone,
  type Values,
  valueAt,
} from "./fields.js";
import classes from "./schema-field.module.css";

/** `keeps` is a mapping that stays though it is left without a key. */
type OnSet = (path: Path, value: unknown, keeps?: Path) => void;

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
  if (field.kind === "group") {
    return <Group of={of} shapes={field.shapes} isOptional={field.isOptional} />;
  }
  const value = valueAt(values, path);
  const set = (next: unknown) => onSet(path, next);
  const name = label(path.at(-1) ?? "");
  const input = {
    label: name,
    description: schema.description,
    placeholder: shownDefault(schema) ?? "",
    disabled: value === null,
  };
  return (
    <div>
      <Input field={field} input={input} value={value} onSet={set} />
      {takesNone(schema) && (
        <Checkbox
          className={classes.none}
          size="xs"
          label="none"
          aria-label={`${name}: none`}
          checked={value === null}
          onChange={({ currentTarget }) => set(currentTarget.checked ? null : undefined)}
        />
      )}
    </div>
  );
}

interface InputProps {
  readonly label: string;
  readonly description: string | undefined;
  readonly placeholder: string;
  readonly disabled: boolean;
}

function Input({
  field,
  input,
  value,
  onSet,
}: {
  readonly field: Exclude<Field, { kind: "group" }>;
  readonly input: InputProps;
  readonly value: unknown;
  readonly onSet: (value: unknown) => void;
}) {
  switch (field.kind) {
    case "choice":
      return (
        <Select
          {...input}
          data={[...field.options]}
          value={typeof value === "string" ? value : null}
          onChange={(next) => onSet(next ?? undefined)}
          clearable
        />
      );
    case "flag":
      return (
        <Select
          {...input}
          data={["true", "false"]}
          value={typeof value === "boolean" ? String(value) : null}
          onChange={(next) => onSet(next === null ? undefined : next === "true")}
          clearable
        />
      );
    case "number":
      return <NumberField field={field} input={input} value={value} onSet={onSet} />;
    case "texts":
      return (
        <TagsInput
          {...input}
          data={[...field.options]}
          value={asTexts(value)}
          onChange={(next) => onSet(fromTexts(next, field.options))}
          acceptValueOnBlur
          splitChars={[","]}
        />
      );
    case "text":
      return (
        <TextInput
          {...input}
          value={typeof value === "string" ? value : ""}
          onChange={({ currentTarget }) =>
            onSet(currentTarget.value === "" ? undefined : currentTarget.value)
          }
        />
      );
    case "json":
      return <JsonField input={input} value={value} onSet={onSet} />;
  }
}

function asTexts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.map(String) : [];
}

function fromTexts(texts: readonly string[], options: readonly string[]): unknown {
  const [first, ...others] = texts;
  if (first === undefined) return undefined;
  return others.length === 0 && options.includes(first) ? first : texts;
}

/** What is typed is kept as it is typed: half a number, such as `0.`, is none yet. */
function NumberField({
  field: { isWhole, least, most },
  input,
  value,
  onSet,
}: {
  readonly field: Extract<Field, { kind: "number" }>;
  readonly input: InputProps;
  readonly value: unknown;
  readonly onSet: (value: unknown) => void;
}) {
  const [typed, setTyped] = useState<number | string>(typeof value === "number" ? value : "");
  return (
    <NumberInput
      {...input}
      value={value === null ? "" : typed}
      onChange={(next) => {
        setTyped(next);
        const number = next === "" ? Number.NaN : Number(next);
        onSet(Number.isFinite(number) ? number : undefined);
      }}
      allowDecimal={!isWhole}
      allowNegative={least === undefined || least < 0}
      {...(least !== undefined && { min: least })}
      {...(most !== undefined && { max: most })}
      clampBehavior="none"
      hideControls
    />
  );
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
  const isOpen = value !== undefined || !isOptional;
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
          // With every default it is an empty mapping.
          onChange={({ currentTarget }) => onSet(path, currentTarget.checked ? {} : undefined)}
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
        <GroupFields
          schema={shape}
          path={path}
          values={values}
          onSet={isOptional ? (at, next) => onSet(at, next, path) : onSet}
        />
      )}
    </fieldset>
  );
}

function JsonField({
  input,
  value,
  onSet,
}: {
  readonly input: InputProps;
  readonly value: unknown;
  readonly onSet: (value: unknown) => void;
}) {
  const [text, setText] = useState(
    value === undefined || value === null ? "" : JSON.stringify(value),
  );
  const [fault, setFault] = useState<string>();
  return (
    <Textarea
      {...input}
      placeholder={input.placeholder || "as JSON"}
      value={text}
      error={fault}
      autosize
      minRows={1}
      onChange={({ currentTarget }) => {
        setText(currentTarget.value);
        try {
          onSet(currentTarget.value.trim() === "" ? undefined : JSON.parse(currentTarget.value));
          setFault(undefined);
        } catch {
          onSet(undefined);
          setFault("This is not JSON yet, and not part of params.yaml.");
        }
      }}
    />
  );
}
