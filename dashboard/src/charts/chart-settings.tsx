// How curves are looked at: along which axis, how smooth, on which scale. Kept for the next time in this browser.
import { SegmentedControl, Slider, Switch } from "@mantine/core";
import { useId, useState } from "react";
import classes from "./chart-settings.module.css";
import type { XKind } from "./curves.js";

export interface ChartSettings {
  readonly xKind: XKind;
  /** 0 for none, below 1. */
  readonly smoothing: number;
  readonly isLog: boolean;
}

const storageKey = "bridle.charts";
const usual: ChartSettings = { xKind: "step", smoothing: 0, isLog: false };
const kinds: readonly { readonly value: XKind; readonly label: string }[] = [
  { value: "step", label: "Step" },
  { value: "epoch", label: "Epoch" },
  { value: "time", label: "Time" },
];

/** What was kept, made whole: anything else than expected counts as not there. */
export function readSettings(text: string | null): ChartSettings {
  let kept: Partial<ChartSettings> | null;
  try {
    kept = text === null ? null : (JSON.parse(text) as Partial<ChartSettings> | null);
  } catch {
    return usual;
  }
  const { xKind, smoothing, isLog } = kept ?? {};
  return {
    xKind: kinds.some(({ value }) => value === xKind) ? (xKind as XKind) : usual.xKind,
    smoothing:
      typeof smoothing === "number" && smoothing >= 0 && smoothing < 1
        ? smoothing
        : usual.smoothing,
    isLog: isLog === true,
  };
}

export function useChartSettings(): readonly [ChartSettings, (next: ChartSettings) => void] {
  const [settings, setSettings] = useState(() => readSettings(localStorage.getItem(storageKey)));
  return [
    settings,
    (next) => {
      localStorage.setItem(storageKey, JSON.stringify(next));
      setSettings(next);
    },
  ];
}

export function ChartSettingsBar({
  settings,
  onChange,
}: {
  readonly settings: ChartSettings;
  readonly onChange: (next: ChartSettings) => void;
}) {
  const labelId = useId();
  const { xKind, smoothing, isLog } = settings;
  return (
    <div className={classes.bar}>
      <SegmentedControl
        size="xs"
        aria-label="Axis"
        data={kinds.map((each) => ({ ...each }))}
        value={xKind}
        onChange={(value) => onChange({ ...settings, xKind: value as XKind })}
      />
      <div className={classes.smoothing}>
        <span id={labelId}>Smoothing</span>
        <Slider
          className={classes.slider}
          size="sm"
          min={0}
          max={0.99}
          step={0.01}
          label={null}
          thumbProps={{ "aria-labelledby": labelId }}
          value={smoothing}
          onChange={(value) => onChange({ ...settings, smoothing: value })}
        />
        <output>{smoothing === 0 ? "off" : smoothing.toFixed(2)}</output>
      </div>
      <Switch
        size="sm"
        label="Log scale"
        checked={isLog}
        onChange={(event) => onChange({ ...settings, isLog: event.currentTarget.checked })}
      />
    </div>
  );
}
