// Gives turns longest first, a window of them at a time: neighbours in work are alike in length, and no long one is begun last.

/** Somebody who waits for a turn. */
export interface Waiter {
  /** Of the text, in UTF-16 units: a good stand-in for the work. */
  readonly length: number;
  /** The turn has come. */
  begin(): void;
}

export interface LengthWindow {
  /** How many wait. */
  readonly size: number;
  /** Takes one in; the window that is full with it is handed out. */
  add(waiter: Waiter): void;
  /** Gives everybody in the window a turn, the longest first; equally long ones in the order they came. */
  handOut(): void;
}

/**
 * @param limits how many wait at most, 1 or more, and the length of all of them, which the last one may go past
 */
export function createLengthWindow(limits: {
  readonly count: number;
  readonly length: number;
}): LengthWindow {
  let waiting: Waiter[] = [];
  let length = 0;
  const handOut = () => {
    const turns = waiting.sort((a, b) => b.length - a.length);
    waiting = [];
    length = 0;
    for (const { begin } of turns) begin();
  };
  return {
    get size() {
      return waiting.length;
    },
    add(waiter) {
      waiting.push(waiter);
      length += waiter.length;
      if (waiting.length >= limits.count || length >= limits.length) handOut();
    },
    handOut,
  };
}
