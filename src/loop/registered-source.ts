// Where a registered model's name leads: the folder of its version, verified byte for byte before anybody reads it.
import type { ModelSource } from "../model/resolve-model.js";
import type { Registry } from "../registry/registry.js";
import { parseVersionName } from "../registry/version-name.js";

/** Opens the registry, or answers undefined where there is none; whoever asks closes it. */
export type OpenRegistry = () => Promise<Registry | undefined>;

/** Names such as news:3 and news@champion, for `resolveModel`. The registry is opened for as long as a name is looked up. */
export function registeredModels(open: OpenRegistry): ModelSource {
  const using = async <T>(work: (registry: Registry) => Promise<T>): Promise<T | undefined> => {
    const registry = await open();
    try {
      return registry && (await work(registry));
    } finally {
      await registry?.close();
    }
  };
  return {
    names: "a registered version such as news:3 or news@champion",
    async find(name, { signal }) {
      // Most names are of something else, and open no database.
      if (parseVersionName(name) === undefined) return undefined;
      return await using(async (registry) => {
        const version = await registry.findVersion(name);
        if (version === undefined) return undefined;
        const { folder } = await registry.open(version, { signal });
        const { model, version: number, digest, card } = version;
        const registered = { name: model, version: number, digest };
        return { folder, registered, licence: card.licence.id };
      });
    },
    async list() {
      const models = await using((registry) => registry.listModels()).catch(() => undefined);
      return (models ?? []).map(({ name }) => name);
    },
  };
}
