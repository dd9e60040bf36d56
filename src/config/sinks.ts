// Whom runs are told to besides the database here: `mlflow=http://localhost:5000`, `wandb=ENTITY/PROJECT`, as `--sink` and
// BRIDLE_SINKS name them.
import { BridleError } from "../errors/error.js";
import { nearestName } from "./nearest-name.js";

export const sinkKinds = ["mlflow", "wandb"] as const;
export type SinkKind = (typeof sinkKinds)[number];

export interface SinkSetting {
  readonly kind: SinkKind;
  /** Where it is; of W&B also a project alone, or nothing: then its own variables say. */
  readonly url: string;
}

/**
 * The sinks that were asked for, each kind once.
 * @param named what `--sink` says, which comes before BRIDLE_SINKS (with commas between several)
 * @throws SINK_UNKNOWN
 */
export function sinkSettings(
  named: readonly string[] | undefined,
  env: Readonly<Record<string, string | undefined>>,
): readonly SinkSetting[] {
  const words = named ?? (env.BRIDLE_SINKS ?? "").split(",");
  const settings = words
    .map((word) => word.trim())
    .filter((word) => word !== "")
    .map((word) => settingOf(word, env));
  for (const [i, { kind }] of settings.entries()) {
    if (settings.findIndex((other) => other.kind === kind) === i) continue;
    throw new BridleError("SINK_UNKNOWN", { sink: kind, reason: "it is named twice" });
  }
  return settings;
}

function settingOf(word: string, env: Readonly<Record<string, string | undefined>>): SinkSetting {
  const equals = word.indexOf("=");
  const name = equals === -1 ? word : word.slice(0, equals);
  const kind = sinkKinds.find((each) => each === name);
  if (kind === undefined) {
    const nearest = nearestName(name, sinkKinds);
    const reason = `there are ${sinkKinds.join(", ")}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
    throw new BridleError("SINK_UNKNOWN", { sink: name, reason });
  }
  const said = equals === -1 ? "" : word.slice(equals + 1);
  if (kind === "wandb") return { kind, url: said };
  const url = equals === -1 ? env.MLFLOW_TRACKING_URI : said;
  if (!url) {
    const reason = "it has no address: write mlflow=http://HOST:PORT, or set MLFLOW_TRACKING_URI";
    throw new BridleError("SINK_UNKNOWN", { sink: name, reason });
  }
  return { kind, url };
}
