// What is typed to find runs: `metrics.eval/loss < 2`, or plain words, which are looked for in names.

const comparison = /^\s*([A-Za-z]+(?:\.[^\s=<>!~]+)?)\s*(!=|<=|>=|=|<|>|~)\s*(.*?)\s*$/s;

export interface Condition {
  readonly field: string;
  readonly operator: string;
  readonly value: string;
}

/** The parts of a condition; undefined for what is none. */
export function readCondition(text: string): Condition | undefined {
  const [, field, operator, value] = comparison.exec(text) ?? [];
  if (field === undefined || operator === undefined || value === undefined) return undefined;
  return { field, operator, value };
}

/** As the server takes it: words without an operator are part of a name. */
export function toFilter(typed: string): string | undefined {
  const text = typed.trim();
  if (text === "") return undefined;
  return readCondition(text) === undefined ? `name ~ ${text}` : text;
}

/** Endings of what is being typed: fields that go on from it, else values that some runs have. */
export function suggestions(
  typed: string,
  fields: readonly string[],
  valuesOf: (field: string) => readonly string[],
  most = 8,
): readonly string[] {
  const condition = readCondition(typed);
  if (condition === undefined) {
    const text = typed.trim().toLowerCase();
    if (text === "") return [];
    return fields
      .filter((field) => field.toLowerCase().includes(text))
      .sort((a, b) => startsWith(b, text) - startsWith(a, text) || a.length - b.length)
      .slice(0, most)
      .map((field) => `${field} `);
  }
  const { field, operator, value } = condition;
  if (operator !== "=" && operator !== "!=") return [];
  return valuesOf(field)
    .filter((each) => each !== value && each.toLowerCase().includes(value.toLowerCase()))
    .slice(0, most)
    .map((each) => `${field} ${operator} ${each}`);
}

function startsWith(field: string, text: string): number {
  const last = field.slice(field.lastIndexOf(".") + 1);
  return Number(field.toLowerCase().startsWith(text) || last.toLowerCase().startsWith(text));
}
