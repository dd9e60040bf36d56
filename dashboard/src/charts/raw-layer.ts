// The lines that were smoothed, drawn once and laid under the smooth ones: they stay as they are while smoothing changes.
import type uPlot from "uplot";

export interface RawLine {
  /** The place of its column among the plot's series, which has the x values in common with all. */
  readonly column: number;
  readonly color: string;
}

/** What the picture was made of; a new one is made where any of it is another. */
interface Made {
  readonly canvas: HTMLCanvasElement;
  readonly of: readonly unknown[];
}

/** @returns draws the lines below whatever the plot draws next; for one plot alone */
export function createRawLayer(lines: readonly RawLine[]): (plot: uPlot) => void {
  let made: Made | undefined;
  return (plot) => {
    const { width, height } = plot.ctx.canvas;
    const { x, y } = plot.scales;
    const columns = lines.map(({ column }) => plot.data[column]);
    const of = [width, height, x?.min, x?.max, y?.min, y?.max, plot.data[0].length, ...columns];
    if (made === undefined || of.some((each, index) => each !== made?.of[index])) {
      const canvas = made?.canvas ?? document.createElement("canvas");
      canvas.width = width;
      canvas.height = height;
      draw(plot, canvas, lines);
      made = { canvas, of };
    }
    plot.ctx.drawImage(made.canvas, 0, 0);
  };
}

function draw(plot: uPlot, canvas: HTMLCanvasElement, lines: readonly RawLine[]): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const { left, top, width, height } = plot.bbox;
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.lineWidth = devicePixelRatio;
  context.lineJoin = "round";
  const [xs] = plot.data;
  for (const { column, color } of lines) {
    context.strokeStyle = color;
    context.beginPath();
    const ys = plot.data[column] ?? [];
    for (const [index, y] of ys.entries()) {
      // A gap is gone over, as by the lines above.
      if (typeof y !== "number") continue;
      context.lineTo(plot.valToPos(xs[index] ?? 0, "x", true), plot.valToPos(y, "y", true));
    }
    context.stroke();
  }
}
