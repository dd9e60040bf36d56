// How long an extractive summary is to be: a number of sentences, a share of the document, or a number of words.
import { NumberInput, SegmentedControl, Slider } from "@mantine/core";
import classes from "./length-control.module.css";
import type { Length, LengthUnit } from "./settings.js";

const most = { sentences: 1_000, maxWords: 100_000 } as const;

const units: readonly { value: LengthUnit; label: string }[] = [
  { value: "sentences", label: "Sentences" },
  { value: "ratio", label: "Share" },
  { value: "maxWords", label: "Words" },
];

export function LengthControl({
  length,
  onChange,
}: {
  readonly length: Length;
  readonly onChange: (length: Length) => void;
}) {
  return (
    <fieldset className={classes.control}>
      <legend className={classes.legend}>Length</legend>
      <SegmentedControl<LengthUnit>
        className={classes.units}
        aria-label="Length counted in"
        withItemsBorders={false}
        value={length.unit}
        onChange={(unit) => onChange({ ...length, unit })}
        data={[...units]}
      />
      <div className={classes.value}>
        {length.unit === "sentences" && (
          <NumberInput
            aria-label="Number of sentences"
            value={length.sentences}
            onChange={(value) => onChange({ ...length, sentences: whole(value, length.sentences) })}
            min={1}
            max={most.sentences}
            allowDecimal={false}
            allowNegative={false}
            suffix={length.sentences === 1 ? " sentence" : " sentences"}
          />
        )}
        {length.unit === "maxWords" && (
          <NumberInput
            aria-label="At most so many words"
            value={length.maxWords}
            onChange={(value) => onChange({ ...length, maxWords: whole(value, length.maxWords) })}
            min={1}
            max={most.maxWords}
            step={10}
            allowDecimal={false}
            allowNegative={false}
            thousandSeparator=","
            prefix="≤ "
            suffix={length.maxWords === 1 ? " word" : " words"}
          />
        )}
        {length.unit === "ratio" && (
          <div className={classes.share}>
            <Slider
              className={classes.slider}
              thumbLabel="Share of the document's sentences, in percent"
              value={length.share}
              onChange={(share) => onChange({ ...length, share })}
              min={1}
              max={100}
              label={null}
              size={4}
            />
            <output className={classes.percent}>{length.share} %</output>
          </div>
        )}
      </div>
    </fieldset>
  );
}

/** The field is empty or half-typed now and then; the last number stands until a new one does. */
function whole(value: number | string, before: number): number {
  const parsed = typeof value === "number" ? value : Number.parseInt(value, 10);
  return Number.isInteger(parsed) && parsed >= 1 ? parsed : before;
}
