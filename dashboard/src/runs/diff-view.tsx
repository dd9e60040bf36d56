// A diff as git writes it, with what was added and what was taken away told apart by colour and by sign.
import classes from "./diff-view.module.css";

/** Lines drawn; a longer diff is one to be looked at with other tools. */
const mostLines = 4000;

export type DiffLineKind = "file" | "place" | "added" | "removed" | "same";

export function kindOf(line: string): DiffLineKind {
  if (/^(diff --git|index |--- |\+\+\+ |new file|deleted file|similarity|rename )/.test(line)) {
    return "file";
  }
  if (line.startsWith("@@")) return "place";
  if (line.startsWith("+")) return "added";
  if (line.startsWith("-")) return "removed";
  return "same";
}

export function DiffView({ label, text }: { readonly label: string; readonly text: string }) {
  const lines = text.replace(/\n$/, "").split("\n");
  const shown = lines.slice(0, mostLines);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className={classes.box} aria-label={label} tabIndex={0}>
      <pre className={classes.lines}>
        {shown.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines never move
          <span key={index} data-kind={kindOf(line)}>
            {`${line}\n`}
          </span>
        ))}
      </pre>
      {lines.length > shown.length && (
        <p className={classes.more}>
          {lines.length - shown.length} more lines; the file git.diff has all of them.
        </p>
      )}
    </section>
  );
}
