// Where suites that make homes of their own keep their rows: in each home's SQLite, or in PostgreSQL where on-postgres.test.ts runs
// them again.

let create: (() => Promise<string>) | undefined;

/** From here on every home has a database of its own by this. */
export function useDatabases(made: () => Promise<string>): void {
  create = made;
}

export type HomeEnvironment = { readonly BRIDLE_HOME: string; readonly BRIDLE_DB?: string };

const homes = new Map<string, HomeEnvironment>();

/** The environment of a home, the same each time it is asked for. */
export async function homeEnvironment(folder: string): Promise<HomeEnvironment> {
  const known = homes.get(folder);
  if (known !== undefined) return known;
  const made = { BRIDLE_HOME: folder, ...(create && { BRIDLE_DB: await create() }) };
  homes.set(folder, made);
  return made;
}
