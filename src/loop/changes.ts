// What has changed since somebody looked: the names of runs, sweeps and models, and whether anything of the data has.
import type { ProjectData } from "../data/project-data.js";
import { markProject } from "../data/project-mark.js";
import type { Database } from "../ports/database.js";
import type { Registry } from "../registry/registry.js";
import { readRunMarks } from "../track/run-marks.js";
import { readSweepMarks } from "./sweep/sweep-marks.js";

type Marks = ReadonlyMap<string, string>;

/** What stands for the state of everything that is looked at; a part that did not answer is undefined. */
export interface State {
  readonly runs: Marks | undefined;
  readonly sweeps: Marks | undefined;
  readonly models: Marks | undefined;
  readonly data: Marks | undefined;
}

/** Names of what is another than before. */
export interface Changes {
  readonly runs: readonly string[];
  readonly sweeps: readonly string[];
  readonly models: readonly string[];
  /** Whether anything is another that versions of data are told by. */
  readonly data: boolean;
}

export interface WatchedSources {
  readonly database: Database | undefined;
  readonly registry: Pick<Registry, "listMarks"> | undefined;
}

/** Many who look at about the same moment get one answer. */
const sameMomentMs = 500;

/**
 * Looks at what may change, in a few short queries however much there is.
 * @param open gives what there is by now; may throw where a part is away
 */
export function watchState(
  open: {
    readonly database: () => Promise<Database | undefined>;
    readonly registry: () => Promise<WatchedSources["registry"]>;
  },
  project: Pick<ProjectData, "folder" | "listTracked"> | undefined,
): () => Promise<State> {
  const projectMark = watchProject(project);
  let current: { readonly at: number; readonly state: Promise<State> } | undefined;
  return () => {
    const now = performance.now();
    if (current === undefined || now - current.at > sameMomentMs)
      current = { at: now, state: readState(open, projectMark) };
    return current.state;
  };
}

async function readState(
  open: Parameters<typeof watchState>[0],
  projectMark: () => Promise<string>,
): Promise<State> {
  const [tracked, models, project] = await Promise.all([
    answered(async () => {
      const database = await open.database();
      if (database === undefined) return { runs: new Map(), sweeps: new Map(), uses: [] };
      const runs = await readRunMarks(database);
      return {
        runs: new Map([...runs].map(([id, { changedAt }]) => [id, String(changedAt)])),
        sweeps: await readSweepMarks(database),
        // Data are used by a run from its first moment on; what it tells in between changes nothing of them.
        uses: [...runs].map(([id, { status }]) => [`run ${id}`, status] as const),
      };
    }),
    answered(async () => (await open.registry())?.listMarks() ?? new Map<string, string>()),
    answered(projectMark),
  ]);
  const data =
    tracked === undefined || models === undefined || project === undefined
      ? undefined
      : new Map([...tracked.uses, ["models", JSON.stringify([...models])], ["project", project]]);
  return { runs: tracked?.runs, sweeps: tracked?.sweeps, models, data };
}

/** Undefined where a part is away: it is looked at again a second later, and what was missed is found then. */
async function answered<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch {
    return undefined;
  }
}

/** The files that are tracked are listed when something of them has changed: walking through a folder takes its time. */
function watchProject(
  project: Pick<ProjectData, "folder" | "listTracked"> | undefined,
): () => Promise<string> {
  let tracked: readonly { readonly path: string }[] = [];
  let mark: string | undefined;
  let listing = false;
  const list = async ({ folder, listTracked }: NonNullable<typeof project>) => {
    listing = true;
    // A file that cannot be read is told by the page of data, and may be mended.
    tracked = await listTracked().then(
      ({ paths, broken }) => [...paths, ...broken],
      () => tracked,
    );
    mark = await markProject(folder, tracked);
    listing = false;
  };
  return async () => {
    if (project === undefined) return "";
    const before = mark;
    if (before !== undefined && (await markProject(project.folder, tracked)) === before)
      return before;
    // Nobody waits for it: what it finds is told at a later look.
    if (!listing) void list(project);
    return mark ?? "";
  };
}

/** What is another now; a part that is not known now, or was not before, is left out, or told as a whole. */
export function changesSince(before: State, now: State): Changes {
  return {
    runs: others(before.runs, now.runs),
    sweeps: others(before.sweeps, now.sweeps),
    models: others(before.models, now.models),
    data: others(before.data, now.data).length > 0,
  };
}

/** The last that is known of each part. */
export function latest(before: State, now: State): State {
  return {
    runs: now.runs ?? before.runs,
    sweeps: now.sweeps ?? before.sweeps,
    models: now.models ?? before.models,
    data: now.data ?? before.data,
  };
}

/** What has gone has not changed: runs that have been quiet for long are not looked at any more, and nothing else goes. */
function others(before: Marks | undefined, now: Marks | undefined): string[] {
  return [...(now ?? [])].flatMap(([name, mark]) => (before?.get(name) === mark ? [] : [name]));
}
