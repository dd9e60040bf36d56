// How a neural model writes: beams and length at hand, the rest behind a button. What is left empty is the model's to say.
import { ActionIcon, Button, NumberInput, Popover, SegmentedControl, Tooltip } from "@mantine/core";
import { Dices, RotateCcw, SlidersHorizontal } from "lucide-react";
import type { ReactNode } from "react";
import { shortName } from "../api/model-name.js";
import type { Problem } from "../api/problem.js";
import type { Model } from "../api/types.js";
import { count } from "../shell/figures.js";
import { popoverProps } from "../shell/floating.js";
import classes from "./generation-control.module.css";
import { defaultOf, draws, type Generation, hasBeams } from "./settings.js";

interface Props {
  readonly model: Model;
  readonly generation: Generation;
  readonly onChange: (generation: Generation) => void;
  /** What the server said of the last request; its fields are marked where they are set. */
  readonly problem: Problem | undefined;
}

type NumberName = Exclude<keyof Generation, "doSample" | "truncation">;

/** Fields of the popover, for the count on its button. */
const hidden = [
  "minNewTokens",
  "lengthPenalty",
  "noRepeatNgramSize",
  "doSample",
  "truncation",
] as const satisfies readonly (keyof Generation)[];

export function GenerationControl(props: Props) {
  const { model, generation, problem } = props;
  const changed = hidden.filter((name) => generation[name] !== undefined).length;
  const wrong = hidden.some((name) => errorOf(problem, name) !== undefined);
  return (
    <fieldset className={classes.control}>
      <legend className={classes.legend}>How {shortName(model.name)} writes</legend>
      <Field {...props} name="numBeams" label="Beams" unit="beam" min={1} inline />
      <Field
        {...props}
        name="maxNewTokens"
        label="Tokens at most"
        unit="token"
        sign="≤ "
        min={1}
        max={model.limits.maxNewTokens ?? undefined}
        step={8}
        inline
      />
      <Popover {...popoverProps} position="bottom-end" width={356} withRoles>
        <Popover.Target>
          <Button
            className={classes.more}
            variant="default"
            leftSection={<SlidersHorizontal size={16} />}
            data-wrong={wrong || undefined}
            rightSection={changed > 0 && <span className={classes.changed}>{changed}</span>}
          >
            More
          </Button>
        </Popover.Target>
        <Popover.Dropdown aria-label={`More settings of ${shortName(model.name)}`}>
          <MoreSettings {...props} />
        </Popover.Dropdown>
      </Popover>
    </fieldset>
  );
}

function MoreSettings(props: Props) {
  const { model, generation, onChange } = props;
  const drawn = draws(model, generation);
  const drawnByItself = draws(model, {});
  const reach = model.limits.maxInputTokens;
  const untouched = Object.values(generation).every((value) => value === undefined);
  return (
    <div className={classes.settings}>
      <div className={classes.grid}>
        <Field {...props} name="minNewTokens" label="Tokens at least" min={0} step={8} />
        <Field
          {...props}
          name="noRepeatNgramSize"
          label="No n-gram twice"
          min={0}
          hint="size; 0 for no limit"
        />
        {hasBeams(model, generation) && (
          <Field
            {...props}
            name="lengthPenalty"
            label="Length penalty"
            min={-10}
            step={0.1}
            decimal
            hint="above 1: longer"
          />
        )}
      </div>
      <Choice label="Tokens are">
        <SegmentedControl
          fullWidth
          size="xs"
          aria-label="How tokens are chosen"
          value={drawn ? "drawn" : "best"}
          onChange={(value) => {
            const doSample = value === "drawn";
            onChange({
              ...generation,
              doSample: doSample === drawnByItself ? undefined : doSample,
            });
          }}
          data={[
            { value: "best", label: "the likeliest" },
            { value: "drawn", label: "drawn by chance" },
          ]}
        />
      </Choice>
      {drawn && (
        <div className={classes.grid}>
          <Field {...props} name="temperature" label="Temperature" min={0.01} step={0.1} decimal />
          <Field {...props} name="topK" label="Top-k" min={0} hint="0 for all" />
          <Field {...props} name="topP" label="Top-p" min={0} max={1} step={0.05} decimal />
          <Field
            {...props}
            name="seed"
            label="Seed"
            min={0}
            side={
              <Tooltip label="Another seed">
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size={28}
                  aria-label="Another seed"
                  onClick={() => onChange({ ...generation, seed: anySeed() })}
                >
                  <Dices size={16} />
                </ActionIcon>
              </Tooltip>
            }
          />
        </div>
      )}
      {reach !== null && (
        <Choice label={`Beyond ${count(reach)} tokens`}>
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label={`What happens beyond ${count(reach)} tokens`}
            value={generation.truncation ? "cut" : "parts"}
            onChange={(value) =>
              onChange({ ...generation, truncation: value === "cut" ? true : undefined })
            }
            data={[
              { value: "parts", label: "read on in parts" },
              { value: "cut", label: "leave it unread" },
            ]}
          />
        </Choice>
      )}
      <div className={classes.foot}>
        <p>Left empty, the model decides.</p>
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<RotateCcw size={14} />}
          {...(untouched && { "data-disabled": true })}
          aria-disabled={untouched}
          onClick={() => onChange({})}
        >
          Reset
        </Button>
      </div>
    </div>
  );
}

function Choice({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div className={classes.choice}>
      <span className={classes.choiceLabel}>{label}</span>
      {children}
    </div>
  );
}

function Field({
  model,
  generation,
  onChange,
  problem,
  name,
  label,
  unit,
  sign = "",
  hint,
  min,
  max,
  step = 1,
  decimal = false,
  inline = false,
  side,
}: Props & {
  readonly name: NumberName;
  readonly label: string;
  /** Noun of the number, for a field without a label in sight. */
  readonly unit?: string;
  readonly sign?: string;
  readonly hint?: string;
  readonly min: number;
  readonly max?: number | undefined;
  readonly step?: number;
  readonly decimal?: boolean;
  readonly inline?: boolean;
  readonly side?: ReactNode;
}) {
  const value = generation[name];
  const usual = defaultOf(model, name);
  const noun = (of: number | undefined) =>
    unit === undefined ? "" : ` ${unit}${of === 1 ? "" : "s"}`;
  const error = errorOf(problem, name);
  return (
    <NumberInput
      className={inline ? classes.inline : undefined}
      size={inline ? "sm" : "xs"}
      {...(inline ? { "aria-label": label } : { label, description: hint })}
      inputWrapperOrder={["label", "input", "error", "description"]}
      placeholder={usual === undefined ? "the model's" : `${sign}${usual}${noun(usual)}`}
      value={value ?? ""}
      onChange={(next) => onChange({ ...generation, [name]: readNumber(next) })}
      error={inline ? error !== undefined : error}
      // Stepping begins at what the model does by itself.
      startValue={usual ?? min}
      min={min}
      {...(max === undefined ? {} : { max })}
      step={step}
      allowDecimal={decimal}
      allowNegative={min < 0}
      prefix={sign}
      suffix={noun(value)}
      {...(side !== undefined && { leftSection: side, leftSectionPointerEvents: "all" })}
    />
  );
}

function readNumber(value: number | string): number | undefined {
  const parsed = typeof value === "number" ? value : Number.parseFloat(value);
  return Number.isFinite(parsed) ? parsed : undefined;
}

function errorOf(problem: Problem | undefined, name: keyof Generation): string | undefined {
  return problem?.fields.find(({ pointer }) => pointer.startsWith(`#/parameters/${name}`))?.detail;
}

/** Short enough to be said aloud. */
function anySeed(): number {
  return 1 + Math.floor(Math.random() * 9999);
}
