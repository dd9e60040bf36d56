// The families that can be loaded, by the architecture their config.json names.
import { BridleError } from "../errors/error.js";
import { bart } from "./bart.js";
import type { Family, ModelConfig } from "./family.js";
import { pegasus } from "./pegasus.js";
import { mt5, t5, umt5 } from "./t5.js";

const families = [pegasus, bart, t5, mt5, umt5] as unknown as readonly Family[];

/** @throws ARCHITECTURE_NOT_SUPPORTED naming what the config asks for and what there is. */
export function findFamily(json: Readonly<Record<string, unknown>>): Family<ModelConfig> {
  const asked = Array.isArray(json.architectures) ? json.architectures.map(String) : [];
  const family = families.find(({ architectures }) =>
    architectures.some((name) => asked.includes(name)),
  );
  if (family !== undefined) return family;
  const supported = families.flatMap(({ architectures }) => architectures).join(", ");
  throw new BridleError("ARCHITECTURE_NOT_SUPPORTED", {
    architecture: asked.join(", ") || `model type ${String(json.model_type)}`,
    supported,
  });
}
