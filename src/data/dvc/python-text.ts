// Values as Python writes them, which DVC's files and answers are made of: JSON, numbers and the order of strings.

/** A number that Python holds as a float: 1.0 stays apart from 1 in what is written. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** What a file of parameters, metrics or stages can hold. */
export type PythonValue =
  | null
  | boolean
  | number
  | string
  | PythonFloat
  | readonly PythonValue[]
  | PythonRecord;

/** A dict: its keys in the order they were set. */
export type PythonRecord = { readonly [key: string]: PythonValue };

export function isRecord(value: unknown): value is PythonRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof PythonFloat)
  );
}

/** The number a value is; undefined for anything else. Python counts true as 1 and false as 0. */
export function numberOf(value: PythonValue | undefined): number | undefined {
  if (value instanceof PythonFloat) return value.value;
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" ? value : undefined;
}

/** Whether Python finds two values equal: 1, 1.0 and true are; the order of a dict's keys does not matter. */
export function equalValues(a: PythonValue, b: PythonValue): boolean {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined || y !== undefined) return x === y;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => equalValues(item, b[i] as PythonValue));
  }
  if (isRecord(a) && isRecord(b)) {
    const keys = Object.keys(a);
    if (keys.length !== Object.keys(b).length) return false;
    return keys.every(
      (key) => Object.hasOwn(b, key) && equalValues(a[key] as PythonValue, b[key] as PythonValue),
    );
  }
  return a === b;
}

/** Order of Python's strings, by code point: unlike `<`, which puts U+1F600 before U+FB00. */
export function compareStrings(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above every other unit.
    const [isHighX, isHighY] = [isSurrogate(x), isSurrogate(y)];
    return isHighX === isHighY ? x - y : isHighX ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** `repr` of a float: the shortest digits, with an exponent below 1e-4 and from 1e16. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
    const [digits = "", exponent = ""] = value.toExponential().split("e");
    const sign = exponent.startsWith("-") ? "-" : "+";
    return `${digits}e${sign}${exponent.replace(/^[-+]/, "").padStart(2, "0")}`;
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** A string in JSON with every character outside ASCII escaped. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `json.dumps(value)`: a space after each comma and colon, ASCII only. */
export function jsonText(value: PythonValue): string {
  if (value instanceof PythonFloat) {
    const { value: number } = value;
    if (Number.isFinite(number)) return floatText(number);
    return Number.isNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
  }
  if (typeof value === "string") return jsonString(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(", ")}]`;
  if (isRecord(value)) {
    const members = Object.entries(value).map(
      ([key, item]) => `${jsonString(key)}: ${jsonText(item)}`,
    );
    return `{${members.join(", ")}}`;
  }
  return String(value);
}

/** `str(value)`, as DVC prints lists and puts values into commands. */
export function pythonString(value: PythonValue): string {
  return typeof value === "string" ? value : repr(value);
}

function repr(value: PythonValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value instanceof PythonFloat) return floatText(value.value);
  if (typeof value === "string") return stringRepr(value);
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  if (isRecord(value)) {
    const members = Object.entries(value).map(([key, item]) => `${stringRepr(key)}: ${repr(item)}`);
    return `{${members.join(", ")}}`;
  }
  return String(value);
}

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
  const escaped = text.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
    /[\u0000-\u001f\u007f-\u00a0\u00ad\\'"]/g,
    (unit) => {
      if (named[unit] !== undefined) return named[unit];
      if (unit === "'" || unit === '"') return unit === quote ? `\\${unit}` : unit;
      return `\\x${unit.charCodeAt(0).toString(16).padStart(2, "0")}`;
    },
  );
  return `${quote}${escaped}${quote}`;
}

/** A value with its floats as plain numbers, as JavaScript has them. */
export function plainValue(value: PythonValue): unknown {
  if (value instanceof PythonFloat) return value.value;
  if (Array.isArray(value)) return value.map(plainValue);
  if (isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item)]));
  }
  return value;
}
