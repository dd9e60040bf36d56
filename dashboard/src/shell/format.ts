// Times, sizes and values as tables and charts write them; counts and shares are in figures.ts.

const units = ["B", "kB", "MB", "GB", "TB", "PB"];

/** The place of the last digit of a round number: 0.25 → −2, 2000 → 3. */
export function lastPlace(round: number): number {
  const [digits = "", power = "0"] = Number(round.toPrecision(3)).toExponential().split("e");
  return Number(power) - (digits.split(".")[1]?.length ?? 0);
}

/**
 * Bytes in powers of a thousand: 1536000 → "1.54 MB".
 * @param step how far the neighbours of an axis are from it, which read otherwise
 */
export function bytes(value: number, step?: number): string {
  let scaled = Math.abs(value);
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  const usual = unit === 0 || scaled >= 99.5 ? 0 : scaled >= 9.95 ? 1 : 2;
  const digits = step === undefined ? usual : Math.max(usual, 3 * unit - lastPlace(step));
  return `${value < 0 ? "−" : ""}${scaled.toFixed(digits)} ${units[unit]}`;
}

/** Milliseconds as "42 s", "3 min 20 s", "2 h 05 min", "3 d 4 h". */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${pad(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

/** How long ago: "just now", "5 min ago", "yesterday", else the date. */
export function ago(at: number, now = Date.now()): string {
  const seconds = (now - at) / 1000;
  if (seconds < 45) return "just now";
  if (seconds < 3570) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 84_600) return `${Math.round(seconds / 3600)} h ago`;
  if (seconds < 6 * 86_400) return `${Math.max(1, Math.round(seconds / 86_400))} d ago`;
  return date(at, now);
}

/** "14 Mar", with the year where it is another one. */
export function date(at: number, now = Date.now()): string {
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    ...(!sameYear && { year: "numeric" }),
  }).format(at);
}

/** "14 Mar 2026, 09:41:07". */
export function moment(at: number): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" }).format(at);
}

/** "09:41:07". */
export function clock(at: number): string {
  return new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" }).format(at);
}

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/**
 * A measured value with as many digits as tell something: 2.3457, 0.00013, 1.2e-7, 12,345.
 * @param step how far the neighbours of an axis are from it, which read otherwise
 */
export function value(number: number, step?: number): string {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "−∞";
  const size = Math.abs(number);
  const sign = number < 0 ? "−" : "";
  if (size === 0) return "0";
  const last = step === undefined ? Number.POSITIVE_INFINITY : lastPlace(step);
  const digits = Math.floor(Math.log10(size)) - last + 1;
  if (size >= 1e9 || size < 1e-4) return sign + short(size.toExponential(Math.max(3, digits - 1)));
  if (Number.isInteger(number)) return sign + grouped.format(size);
  if (size >= 10_000) {
    return sign + size.toLocaleString("en", { maximumFractionDigits: Math.max(0, -last) });
  }
  return sign + String(Number(size.toPrecision(Math.max(size >= 1 ? 5 : 4, digits))));
}

/** "1.200e-7" → "1.2e-7". */
function short(text: string): string {
  return text.replace(/\.?0+(?=e)/, "").replace("e+", "e");
}
