// The families that can be loaded, by the architecture their config.json names.
import { BridleError } from "../errors/error.js";
import { bart } from "./bart.js";
import type { Family, ModelConfig } from "./family.js";
import { pegasus } from "./pegasus.js";
import { mt5, t5, umt5 } from "./t5.js";

const families = [pegasus, bart, t5, mt5, umt5] as unknown as readonly Family[];

/** What transformers calls a model without its output layer, as the models are published that people fine-tune. */
const withoutHead = (architecture: string) =>
  architecture.replace(/ForConditionalGeneration$/, "Model");

/**
 * The family of a config.json: by its architectures, where these say what is computed, else by its model type.
 * @throws ARCHITECTURE_NOT_SUPPORTED naming what the config asks for and what there is.
 */
export function findFamily(json: Readonly<Record<string, unknown>>): Family<ModelConfig> {
  const asked = Array.isArray(json.architectures) ? json.architectures.map(String) : [];
  const family =
    families.find(({ architectures }) => architectures.some((name) => asked.includes(name))) ??
    families.find(
      ({ architectures, freshConfig }) =>
        freshConfig.model_type === json.model_type &&
        asked.every((name) => architectures.map(withoutHead).includes(name)),
    );
  if (family !== undefined) return family;
  const supported = families.flatMap(({ architectures }) => architectures).join(", ");
  throw new BridleError("ARCHITECTURE_NOT_SUPPORTED", {
    architecture: asked.join(", ") || `model type ${String(json.model_type)}`,
    supported,
  });
}

/** A config for weights that are saved with the names of the whole model, output layer included. */
export function wholeConfig(
  json: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { architectures } = findFamily(json);
  const asked = Array.isArray(json.architectures) ? json.architectures : [];
  return architectures.some((name) => asked.includes(name)) ? json : { ...json, architectures };
}
