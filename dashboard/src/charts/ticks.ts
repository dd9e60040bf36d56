// Round numbers for an axis.

/** About five round numbers within a range. */
export function linearTicks(low: number, high: number): readonly number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10);
  const ticks: number[] = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}

/** Powers of ten, with 2 and 5 between them where there are few. */
export function logTicks(low: number, high: number): readonly number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const parts = last - first > 3 ? [1] : [1, 2, 5];
  const within = (each: number) => each >= low * 0.999 && each <= high * 1.001;
  const ticks: number[] = [];
  for (let power = first; power <= last; power += 1) {
    for (const part of parts) {
      const tick = Number((part * 10 ** power).toPrecision(6));
      if (within(tick)) ticks.push(tick);
    }
  }
  return ticks.length > 1 ? ticks : [low, high];
}
