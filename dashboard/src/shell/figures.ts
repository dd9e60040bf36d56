// Numbers as the page writes them.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 1234 → "1,234". */
export function count(value: number): string {
  return whole.format(value);
}

/** 1234567 → "1.2M". */
export function roughly(value: number): string {
  return value < 10_000 ? whole.format(value) : compact.format(value);
}

/** "1 word", "2 words". */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Runs of anything but white space. */
export function wordsIn(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/** A share of 0 to 1 as "12 %"; what is not quite all or nothing never reads as 100 % or 0 %. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value < 1) return `${oneDigit.format(value)} %`;
  if (share < 1 && value > 99.9) return "> 99.9 %";
  if (share < 1 && value > 99) return `${oneDigit.format(value)} %`;
  return `${whole.format(value)} %`;
}

/** Milliseconds as "0.8 ms", "14 ms", "2.3 s". */
export function duration(ms: number): string {
  if (ms < 10) return `${oneDigit.format(ms)} ms`;
  if (ms < 1000) return `${whole.format(ms)} ms`;
  return `${oneDigit.format(ms / 1000)} s`;
}
