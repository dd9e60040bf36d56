// A service whose models live in several processes behind one that answers people.
import {
  keepDurableBatches,
  keepRegistry,
  keepRunRecords,
  openProject,
  prepareModels,
  type Service,
} from "../../compose.js";
import type { ServeConfig } from "../../config/serve-config.js";
import { bridleVersion } from "../../config/version.js";
import type { CreateSummarizerOptions } from "../../summarize/create-summarizer.js";
import { createDocumentReader } from "../../text/files/reader.js";
import { type Logger, openLog } from "../log.js";
import type { ProcessConfig } from "./messages.js";
import { createRemoteSummarizer } from "./remote-summarizer.js";
import { openSupervisor, type SupervisorOptions } from "./supervisor.js";
import { createTurns } from "./turns.js";
import { startWorkerProcess } from "./worker-process.js";

/** How long a process may take to end by itself. */
const closeMs = 5000;

export interface OpenProcessesOptions
  extends Pick<CreateSummarizerOptions, "onDownload" | "signal">,
    Pick<SupervisorOptions, "leastPauseMs" | "mostPauseMs" | "steadyMs"> {
  /** The service's own log unless given. */
  readonly log?: Logger;
}

/** What the process of a place is told: its own share of the machine, and of the rest what it needs. */
export function processConfig(config: ServeConfig, place: number): ProcessConfig {
  const { models, device, dtype, maxCacheBytes, maxBodyBytes, db, store, registryPollMs } = config;
  const { logFormat, logLevel, googleCloudProject, shares } = config;
  return {
    ...{ models, device, dtype, maxCacheBytes, maxBodyBytes, db, store, registryPollMs },
    threads: shares[place]?.threads ?? config.threads,
    cpus: shares[place]?.cpus,
    sharesWeights: config.workers > 1,
    ...{ logFormat, logLevel, googleCloudProject },
  };
}

/**
 * Starts `config.workers` processes with all models each, and waits until the first has opened them.
 * @throws what createSummarizer throws; WORKER_LOST where the first process ends before
 */
export async function openProcesses(
  config: ServeConfig,
  { onDownload, signal, log = openLog(config), ...pauses }: OpenProcessesOptions = {},
): Promise<Service> {
  // Several processes that download the same would stand in each other's way.
  await prepareModels(
    config.models,
    { ...(onDownload && { onDownload }), ...(signal && { signal }) },
    { db: config.db, store: config.store, env: process.env },
  );
  const turns = createTurns();
  const supervisor = await openSupervisor(
    {
      ...{ count: config.workers, log, ...pauses },
      start: (place) => startWorkerProcess(processConfig(config, place), turns),
    },
    signal,
  );
  const reader = createDocumentReader({
    threads: config.threads,
    limits: { maxBytes: config.maxBodyBytes },
  });
  const places = { db: config.db, store: config.store, env: process.env };
  const [registry, records] = [keepRegistry(places), keepRunRecords(places)];
  const project = await openProject();
  let retries = 0;
  const summarizers = new Map(
    supervisor.models.map(({ name }) => [
      name,
      createRemoteSummarizer(name, supervisor, () => {
        retries += 1;
      }),
    ]),
  );
  const followed = new Set(
    supervisor.models.filter(({ isAlias }) => isAlias).map(({ name }) => name),
  );
  const served = { summarizers, followed };
  const batches = keepDurableBatches(places, served, config.maxOpenBatchLines);
  return {
    version: bridleVersion,
    ...served,
    reader,
    refreshModels: () => supervisor.refresh(),
    processes: {
      get isAvailable() {
        return supervisor.isAvailable;
      },
      get retries() {
        return retries;
      },
      states: () => supervisor.states(),
      metrics: (withinMs) => supervisor.metrics(withinMs),
    },
    registry: registry.find,
    runs: records.find,
    batches,
    project,
    warmUp: () => supervisor.warm,
    async close() {
      await batches.close();
      const kept = [reader, registry, records, ...(project ? [project] : [])];
      const parts = kept.map((part) => part.close());
      await Promise.all([supervisor.close(closeMs), ...parts]);
    },
  };
}
