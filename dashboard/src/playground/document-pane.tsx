// The left half: the document, to be pasted, opened or read with its sentences marked; below it, length and the button.
import { ActionIcon, Button, Menu, SegmentedControl, Tooltip } from "@mantine/core";
import { ChevronDown, FolderOpen, LibraryBig, TriangleAlert, X } from "lucide-react";
import { type ClipboardEvent, type ReactNode, type RefObject, useMemo, useRef } from "react";
import { counted, roughly, wordsIn } from "../shell/figures.js";
import { menuProps } from "../shell/floating.js";
import notes from "../shell/notes.module.css";
import { ProblemNote } from "../shell/problem-note.js";
import classes from "./document-pane.module.css";
import { cutAt } from "./excerpts.js";
import pane from "./pane.module.css";
import { samples } from "./samples.js";
import { type DocumentControl, formats, type PageDocument } from "./use-document.js";

export type View = "edit" | "sources";

/** A text field gets slow beyond this; a longer document is shown in part and replaced rather than edited. */
const editableUpTo = 200_000;
const previewLength = 20_000;

export function DocumentPane({
  control,
  view,
  onView,
  sourcesOf,
  sourceView,
  fieldRef,
  children,
}: {
  readonly control: DocumentControl;
  readonly view: View;
  readonly onView: (view: View) => void;
  /** Which of several summaries the marks belong to. */
  readonly sourcesOf: string | undefined;
  /** The document with its sources marked; undefined where there are none. */
  readonly sourceView: ReactNode;
  readonly fieldRef: RefObject<HTMLTextAreaElement | null>;
  /** What stands below the document. */
  readonly children: ReactNode;
}) {
  const { document, opening, problem } = control;
  const blank = document.text === "";
  const hasSources = sourceView !== undefined;
  return (
    <section className={pane.card} aria-labelledby="document-heading">
      <div className={classes.frame}>
        <header className={pane.head}>
          <div className={classes.titles}>
            <h2 id="document-heading" className={pane.title}>
              Document
            </h2>
            {!blank && (
              <p className={classes.meta}>
                <Description document={document} />
                {sourcesOf !== undefined && hasSources && view === "sources" && (
                  <span className={classes.sourcesOf}>· {sourcesOf}</span>
                )}
              </p>
            )}
          </div>
          {hasSources && (
            <SegmentedControl<View>
              className={classes.views}
              size="xs"
              aria-label="Show the document"
              value={view}
              onChange={onView}
              data={[
                { value: "sources", label: "Sources" },
                { value: "edit", label: "Text" },
              ]}
            />
          )}
          <div className={pane.tools}>
            <OpenButton control={control} />
            {!blank && <SamplesMenu control={control} />}
            {!blank && (
              <Tooltip label="Clear the document">
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size={36}
                  aria-label="Clear the document"
                  onClick={() => {
                    control.clear();
                    fieldRef.current?.focus();
                  }}
                >
                  <X size={18} />
                </ActionIcon>
              </Tooltip>
            )}
          </div>
        </header>
        {problem !== undefined && (
          <div className={pane.padded}>
            <ProblemNote problem={problem} />
          </div>
        )}
        <Warnings document={document} />
        {opening !== undefined && (
          <div className={classes.opening} role="status">
            <span className={classes.spinner} aria-hidden />
            <span className={classes.openingName}>Reading {opening} …</span>
            <Button variant="default" size="xs" onClick={control.cancel}>
              Cancel
            </Button>
          </div>
        )}
        {view === "sources" && hasSources ? (
          sourceView
        ) : (
          <TextView control={control} fieldRef={fieldRef} />
        )}
      </div>
      <footer className={classes.foot}>{children}</footer>
    </section>
  );
}

const invitation =
  "Paste or type a text here, or drop a file anywhere on the page: txt, md, html, pdf, docx.";

function TextView({
  control,
  fieldRef,
}: {
  readonly control: DocumentControl;
  readonly fieldRef: RefObject<HTMLTextAreaElement | null>;
}) {
  const { document, type } = control;
  if (document.text.length > editableUpTo) {
    const end = cutAt(document.text, previewLength, document.text.length);
    return (
      <section
        className={classes.preview}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a pane that scrolls must be reachable to be scrolled by keys
        tabIndex={0}
        aria-label="Beginning of the document"
      >
        <p className={classes.previewNote}>
          All {roughly(document.text.length)} characters will be read. They are too many to edit
          here, so this is how they begin.
        </p>
        <div className={classes.previewText}>{document.text.slice(0, end)} …</div>
      </section>
    );
  }
  const paste = (event: ClipboardEvent<HTMLTextAreaElement>) => {
    const pasted = event.clipboardData.getData("text/plain");
    if (pasted.length <= editableUpTo) return;
    // The field itself would take many seconds to lay this out.
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = event.currentTarget;
    type(value.slice(0, selectionStart) + pasted + value.slice(selectionEnd));
  };
  const blank = document.text === "";
  return (
    <div className={classes.editor} data-blank={blank || undefined}>
      <textarea
        ref={fieldRef}
        className={classes.field}
        aria-label="Document text"
        placeholder={invitation}
        value={document.text}
        onChange={(event) => type(event.currentTarget.value)}
        onPaste={paste}
        spellCheck={false}
      />
      {blank && <Invitation control={control} />}
    </div>
  );
}

/** What an empty page offers besides the text field. */
function Invitation({ control }: { readonly control: DocumentControl }) {
  return (
    <div className={classes.invitation}>
      <p className={classes.offer} id="samples-offer">
        Nothing at hand? Try one of these.
      </p>
      <ul className={classes.samples} aria-labelledby="samples-offer">
        {samples.map((sample) => (
          <li key={sample.title}>
            <button
              type="button"
              className={classes.sample}
              onClick={() => control.openSample(sample)}
            >
              <span className={classes.sampleTitle} lang={sample.language}>
                {sample.title}
              </span>
              <span className={classes.sampleKind}>
                {sample.kind} · {counted(wordsIn(sample.text), "word")}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function OpenButton({ control }: { readonly control: DocumentControl }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button
        variant="subtle"
        color="gray"
        size="compact-md"
        className={`${pane.tool} ${classes.open}`}
        aria-label="Open file"
        leftSection={<FolderOpen size={17} />}
        onClick={() => input.current?.click()}
      >
        <span
          className={classes.label}
          data-narrow={control.document.text === "" ? "words" : "icon"}
        >
          Open file
        </span>
      </Button>
      <input
        ref={input}
        type="file"
        hidden
        tabIndex={-1}
        aria-label="File to read"
        accept={formats.join(",")}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // The same file may be picked again after it was changed.
          event.currentTarget.value = "";
          void control.open(files);
        }}
      />
    </>
  );
}

function SamplesMenu({ control }: { readonly control: DocumentControl }) {
  return (
    <Menu {...menuProps} position="bottom-end" width={300}>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          size="compact-md"
          className={`${pane.tool} ${classes.open}`}
          aria-label="Samples"
          leftSection={<LibraryBig size={17} />}
          rightSection={<ChevronDown size={14} />}
        >
          <span className={classes.label} data-narrow="icon">
            Samples
          </span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {samples.map((sample) => (
          <Menu.Item key={sample.title} onClick={() => control.openSample(sample)}>
            <span className={classes.sampleTitle} lang={sample.language}>
              {sample.title}
            </span>
            <span className={classes.sampleKind}>{sample.kind}</span>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Warnings({ document }: { readonly document: PageDocument }) {
  if (document.origin.kind !== "file") return null;
  return document.origin.file.warnings.map((warning) => (
    <p key={warning} className={`${notes.notice} ${classes.warning}`} role="status">
      <TriangleAlert className={notes.icon} size={16} aria-hidden />
      <span>{warning}</span>
    </p>
  ));
}

function Description({ document: { text, origin } }: { readonly document: PageDocument }) {
  // Counting the words of many megabytes on every keystroke would be felt.
  const words = useMemo(() => (text.length > editableUpTo ? undefined : wordsIn(text)), [text]);
  // Scripts without spaces have no words to count this way.
  const size =
    words === undefined || text.length > words * 24
      ? `${roughly(text.length)} characters`
      : counted(words, "word");
  if (origin.kind !== "file") return size;
  const { format, pages } = origin.file;
  const facts = [format, ...(pages === undefined ? [] : [counted(pages, "page")]), size];
  return (
    <>
      <span className={classes.name} title={origin.name}>
        {origin.name}
      </span>
      <span className={classes.facts}>{`· ${facts.join(" · ")}`}</span>
    </>
  );
}
