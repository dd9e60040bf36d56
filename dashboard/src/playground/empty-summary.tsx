// What stands where the summary will be.
import classes from "./empty-summary.module.css";

const words = {
  extractive: {
    title: "The sentences that carry the document",
    text: "Bridle picks them out in their own words and shows where each one stands, so you can check what you read.",
  },
  neural: {
    title: "The document in other words",
    text: "The model writes its own, word by word, and Bridle shows how much of the document it has read.",
  },
} as const;

export function EmptySummary({
  kind,
  brief,
}: {
  /** What the model does that is picked. */
  readonly kind: keyof typeof words;
  /** It stands beside others, where a picture each would be too much. */
  readonly brief: boolean;
}) {
  const { title, text } = words[kind];
  return (
    <div className={classes.empty}>
      {!brief && <Picture />}
      <p className={classes.title} data-brief={brief || undefined}>
        {title}
      </p>
      <p className={classes.text}>{text}</p>
    </div>
  );
}

/** A page of lines, of which three are led out into a shorter one. */
function Picture() {
  const lines = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const widths = [62, 70, 56, 68, 48, 70, 64, 70, 40];
  const chosen = [1, 4, 7];
  return (
    <svg className={classes.picture} viewBox="0 0 300 132" fill="none" aria-hidden="true">
      <rect x="6" y="4" width="104" height="124" rx="9" className={classes.sheet} />
      <rect x="190" y="32" width="104" height="68" rx="9" className={classes.sheet} />
      {lines.map((line) => (
        <rect
          key={line}
          x="22"
          y={18 + line * 11.5}
          width={widths[line]}
          height="5"
          rx="2.5"
          className={chosen.includes(line) ? classes.chosen : classes.line}
        />
      ))}
      {chosen.map((line, place) => (
        <g key={line}>
          <path
            d={`M${22 + (widths[line] ?? 0) + 6} ${20.5 + line * 11.5}C150 ${20.5 + line * 11.5} 150 ${51.5 + place * 14.5} 200 ${51.5 + place * 14.5}`}
            className={classes.rein}
          />
          <rect
            x="206"
            y={49 + place * 14.5}
            width={(widths[line] ?? 0) + 2}
            height="5"
            rx="2.5"
            className={classes.chosen}
          />
        </g>
      ))}
    </svg>
  );
}
