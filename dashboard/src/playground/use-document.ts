// The document on the page: typed, opened from a file, or one of the samples.
import { useCallback, useRef, useState } from "react";
import { extractDocument } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type { ExtractedDocument } from "../api/types.js";
import type { Sample } from "./samples.js";

export type Origin =
  | { readonly kind: "typed" }
  | { readonly kind: "sample"; readonly sample: Sample }
  | { readonly kind: "file"; readonly file: ExtractedDocument; readonly name: string };

export interface PageDocument {
  readonly text: string;
  readonly origin: Origin;
}

export const formats = [".txt", ".md", ".html", ".pdf", ".docx"] as const;

const empty: PageDocument = { text: "", origin: { kind: "typed" } };

export interface DocumentControl {
  readonly document: PageDocument;
  /** Name of the file being read, if one is. */
  readonly opening: string | undefined;
  readonly problem: Problem | undefined;
  readonly type: (text: string) => void;
  readonly open: (files: readonly File[]) => Promise<void>;
  readonly openSample: (sample: Sample) => void;
  readonly clear: () => void;
  readonly cancel: () => void;
}

export function useDocument(): DocumentControl {
  const [document, setDocument] = useState(empty);
  const [opening, setOpening] = useState<string>();
  const [problem, setProblem] = useState<Problem>();
  const running = useRef<AbortController>(undefined);

  const settle = useCallback((next: PageDocument | undefined, failure: Problem | undefined) => {
    running.current?.abort();
    running.current = undefined;
    setOpening(undefined);
    setProblem(failure);
    if (next !== undefined) setDocument(next);
  }, []);

  const type = useCallback(
    (text: string) =>
      setDocument((before) => ({ text, origin: text === "" ? empty.origin : before.origin })),
    [],
  );

  const open = useCallback(
    async (files: readonly File[]) => {
      const [file] = files;
      if (file === undefined) return;
      if (files.length > 1) return settle(undefined, tooManyFiles(files.length));
      settle(undefined, undefined);
      const controller = new AbortController();
      running.current = controller;
      setOpening(file.name);
      try {
        // A folder looks like a file until it is read; fetch would only say that the network failed.
        await file.slice(0, 1).arrayBuffer();
        const read = await extractDocument(file, controller.signal);
        settle(
          { text: read.text, origin: { kind: "file", file: read, name: file.name } },
          undefined,
        );
      } catch (thrown) {
        if (controller.signal.aborted) return;
        settle(undefined, thrown instanceof Problem ? thrown : unreadable(file.name, thrown));
      }
    },
    [settle],
  );

  return {
    document,
    opening,
    problem,
    type,
    open,
    openSample: useCallback(
      (sample: Sample) =>
        settle({ text: sample.text, origin: { kind: "sample", sample } }, undefined),
      [settle],
    ),
    clear: useCallback(() => settle(empty, undefined), [settle]),
    cancel: useCallback(() => settle(undefined, undefined), [settle]),
  };
}

function tooManyFiles(count: number): Problem {
  return new Problem({
    status: 0,
    code: "TOO_MANY_FILES",
    message: `${count} files were dropped; the page reads one document at a time.`,
    hint: "Drop one of them. For many at once, use `bridle summarize --input`.",
  });
}

function unreadable(name: string, cause: unknown): Problem {
  return new Problem({
    status: 0,
    code: "UNREADABLE_FILE",
    message: `${name} could not be read.`,
    hint: "Check that it is a file, not a folder, and that it is still where it was.",
    cause,
  });
}
