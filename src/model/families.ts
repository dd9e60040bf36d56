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

const known = new Set(
  families.flatMap(({ architectures }) => [...architectures, ...architectures.map(withoutHead)]),
);

type Json = Readonly<Record<string, unknown>>;

const askedBy = (json: Json) =>
  Array.isArray(json.architectures) ? json.architectures.map(String) : [];

/** The family of a config.json, where there is one. */
function familyOf(json: Json): Family<ModelConfig> | undefined {
  const asked = askedBy(json);
  const typed = families.find(({ freshConfig }) => freshConfig.model_type === json.model_type);
  if (typed !== undefined && asked.every((name) => known.has(name))) return typed;
  return families.find(({ architectures }) => architectures.some((name) => asked.includes(name)));
}

/**
 * The family of a config.json: by its model type, as transformers has it, where its architectures name nothing else than can be computed.
 * Without a type that is known it is that of the architectures.
 * @throws ARCHITECTURE_NOT_SUPPORTED naming what the config asks for and what there is.
 */
export function findFamily(json: Json): Family<ModelConfig> {
  const family = familyOf(json);
  if (family !== undefined) return family;
  const supported = families.flatMap(({ architectures }) => architectures).join(", ");
  throw new BridleError("ARCHITECTURE_NOT_SUPPORTED", {
    architecture: askedBy(json).join(", ") || `model type ${String(json.model_type)}`,
    supported,
  });
}

/** A config for weights that are saved with the names of the whole model, output layer included. */
export function wholeConfig(json: Json): Json {
  const architectures = familyOf(json)?.architectures ?? [];
  const asked = askedBy(json);
  const [own] = architectures;
  const isWhole = own === undefined || architectures.some((name) => asked.includes(name));
  return isWhole ? json : { ...json, architectures: [own] };
}
