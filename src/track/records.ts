// The records of runs for whoever looks at them for long: opened once, when they are there, and kept true.
import { hostname } from "node:os";
import type { BlobReader } from "../ports/blob-store.js";
import type { Database } from "../ports/database.js";
import { markIfPossible } from "./interrupted.js";

/** What runs told, and the files they keep. */
export interface RunRecords {
  readonly database: Database;
  readonly artifacts: BlobReader;
}

export interface KeptRecords {
  /** Undefined where there are none yet. Runs whose process is gone are marked first, every few seconds. */
  find(): Promise<RunRecords | undefined>;
  close(): Promise<void>;
}

const markEveryMs = 5000;

/** @param open gives undefined where there are no records; what it throws, `find` throws, and tries again the next time */
export function keepRecords(open: () => Promise<RunRecords | undefined>): KeptRecords {
  let opening: Promise<RunRecords | undefined> | undefined;
  let markedAt = Number.NEGATIVE_INFINITY;
  return {
    async find() {
      opening ??= open();
      const mine = opening;
      let records: RunRecords | undefined;
      try {
        records = await mine;
      } finally {
        if (records === undefined && opening === mine) opening = undefined;
      }
      const now = performance.now();
      if (records !== undefined && now - markedAt > markEveryMs) {
        markedAt = now;
        await markIfPossible(records.database, hostname());
      }
      return records;
    },
    async close() {
      const records = await opening?.catch(() => undefined);
      await records?.database.close();
      await records?.artifacts.close();
    },
  };
}
