// Constraints as text, such as `train.accumulate * train.microBatchRows <= 64`: read into a tree and worked out, never run as code.
import { BridleError } from "../../errors/error.js";
import type { Parameters } from "./dimension.js";

/**
 * expression = or ; or = and {("or"|"||") and} ; and = not {("and"|"&&") not} ; not = {"not"|"!"} comparison ;
 * comparison = sum [("<"|"<="|">"|">="|"=="|"!="|["not"] "in") sum] ; sum = product {("+"|"-") product} ;
 * product = power {("*"|"/"|"%") power} ; power = unary ["**" power] ; unary = {"-"|"+"} atom ;
 * atom = number | text | name | "true" | "false" | "null" | "(" or ")" | "[" [or {"," or}] "]"
 */
type Node = (parameters: Parameters) => unknown;

export interface Constraint {
  readonly text: string;
  /** Keys that it names. */
  readonly keys: readonly string[];
  holds(parameters: Parameters): boolean;
}

interface Token {
  readonly kind: "number" | "text" | "name" | "sign" | "end";
  readonly text: string;
  readonly at: number;
}

const patterns: readonly (readonly [Token["kind"], RegExp])[] = [
  ["number", /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y],
  ["text", /"[^"]*"|'[^']*'/y],
  ["name", /[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$-]*)*/y],
  ["sign", /\*\*|<=|>=|==|!=|&&|\|\||[-+*/%<>!()[\],]/y],
];

/** Deeper than anyone writes, and not so deep that reading it could overflow the stack. */
const deepest = 50;

function invalid(text: string, problem: string): BridleError {
  return new BridleError("SWEEP_CONSTRAINT_INVALID", { constraint: text, problem });
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    let found: Token | undefined;
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match !== null) {
        found = { kind, text: match[0], at };
        break;
      }
    }
    if (found === undefined)
      throw invalid(text, `${JSON.stringify(text[at])} at ${at + 1} is no part of it`);
    tokens.push(found);
    at += found.text.length;
  }
  return [...tokens, { kind: "end", text: "", at }];
}

class Reader {
  private readonly tokens: readonly Token[];
  private readonly text: string;
  private readonly known: (key: string) => boolean;
  private next = 0;
  private depth = 0;
  readonly keys = new Set<string>();

  constructor(text: string, known: (key: string) => boolean) {
    this.text = text;
    this.known = known;
    this.tokens = tokensOf(text);
  }

  whole(): Node {
    const node = this.either();
    const token = this.tokens[this.next]!;
    if (token.kind !== "end") throw this.unexpected(token);
    return node;
  }

  private unexpected({ kind, text, at }: Token): BridleError {
    return invalid(
      this.text,
      kind === "end" ? "it ends too early" : `${text} at ${at + 1} does not go there`,
    );
  }

  /** Takes the next token if it is one of these words or signs. */
  private take(...texts: string[]): string | undefined {
    const token = this.tokens[this.next]!;
    if (!texts.includes(token.text) || !["name", "sign"].includes(token.kind)) return undefined;
    this.next++;
    return token.text;
  }

  private need(text: string): void {
    if (this.take(text) === undefined) throw this.unexpected(this.tokens[this.next]!);
  }

  private either(): Node {
    if (++this.depth > deepest) throw invalid(this.text, "it is nested too deeply");
    let left = this.both();
    while (this.take("or", "||")) {
      const [first, second] = [left, this.both()];
      left = (of) => isTrue(first(of), this.text) || isTrue(second(of), this.text);
    }
    this.depth--;
    return left;
  }

  private both(): Node {
    let left = this.negation();
    while (this.take("and", "&&")) {
      const [first, second] = [left, this.negation()];
      left = (of) => isTrue(first(of), this.text) && isTrue(second(of), this.text);
    }
    return left;
  }

  private negation(): Node {
    let negated = false;
    while (this.take("not", "!")) negated = !negated;
    const inner = this.comparison();
    return negated ? (of) => !isTrue(inner(of), this.text) : inner;
  }

  private comparison(): Node {
    const left = this.sum();
    const negated =
      this.tokens[this.next]!.text === "not" && this.tokens[this.next + 1]?.text === "in";
    if (negated) this.next++;
    const sign = this.take("<", "<=", ">", ">=", "==", "!=", "in");
    if (sign === undefined) return left;
    const right = this.sum();
    if (sign === "in") {
      return (of) => {
        const list = right(of);
        if (!Array.isArray(list)) throw invalid(this.text, "what stands behind `in` is no list");
        const value = left(of);
        return list.some((each) => isSame(each, value)) !== negated;
      };
    }
    if (sign === "==" || sign === "!=") {
      return (of) => isSame(left(of), right(of)) === (sign === "==");
    }
    return (of) => compare(sign, number(left(of), this.text), number(right(of), this.text));
  }

  private sum(): Node {
    return this.chain(["+", "-"], () => this.product());
  }

  private product(): Node {
    return this.chain(["*", "/", "%"], () => this.power());
  }

  private chain(signs: string[], part: () => Node): Node {
    let left = part();
    for (let sign = this.take(...signs); sign !== undefined; sign = this.take(...signs)) {
      const [first, second, operation] = [left, part(), operations[sign]!];
      left = (of) => operation(number(first(of), this.text), number(second(of), this.text));
    }
    return left;
  }

  private power(): Node {
    if (++this.depth > deepest) throw invalid(this.text, "it is nested too deeply");
    const base = this.unary();
    const exponent = this.take("**") ? this.power() : undefined;
    this.depth--;
    if (exponent === undefined) return base;
    return (of) => number(base(of), this.text) ** number(exponent(of), this.text);
  }

  private unary(): Node {
    let negative = false;
    let signs = 0;
    for (let sign = this.take("-", "+"); sign !== undefined; sign = this.take("-", "+")) {
      negative = negative !== (sign === "-");
      signs++;
    }
    const inner = this.atom();
    if (signs === 0) return inner;
    return (of) => (negative ? -1 : 1) * number(inner(of), this.text);
  }

  private atom(): Node {
    const token = this.tokens[this.next]!;
    if (this.take("(")) {
      const inner = this.either();
      this.need(")");
      return inner;
    }
    if (this.take("[")) return this.list();
    this.next++;
    if (token.kind === "number") return () => Number(token.text);
    if (token.kind === "text") return () => token.text.slice(1, -1);
    if (token.kind !== "name") throw this.unexpected(token);
    if (Object.hasOwn(constants, token.text)) return () => constants[token.text as "true"];
    if (!this.known(token.text)) {
      throw invalid(
        this.text,
        `${token.text} is neither a key of the space nor set in params.yaml`,
      );
    }
    this.keys.add(token.text);
    return (of) => of[token.text];
  }

  private list(): Node {
    const parts: Node[] = [];
    while (!this.take("]")) {
      if (parts.length > 0) this.need(",");
      parts.push(this.either());
    }
    return (of) => parts.map((part) => part(of));
  }
}

const constants = { true: true, false: false, null: null } as const;

const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

function compare(sign: string, a: number, b: number): boolean {
  if (sign === "<") return a < b;
  if (sign === "<=") return a <= b;
  return sign === ">" ? a > b : a >= b;
}

function number(value: unknown, text: string): number {
  if (typeof value === "number") return value;
  throw invalid(text, `${JSON.stringify(value)} is no number`);
}

function isTrue(value: unknown, text: string): boolean {
  if (typeof value === "boolean") return value;
  throw invalid(text, `${JSON.stringify(value)} is neither true nor false`);
}

export function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Reads a constraint.
 * @param known whether a name has a value in every trial
 * @throws SWEEP_CONSTRAINT_INVALID with what is wrong and where; `holds` throws it for values of the wrong kind
 */
export function readConstraint(text: string, known: (key: string) => boolean): Constraint {
  const reader = new Reader(text, known);
  const node = reader.whole();
  return {
    text,
    keys: [...reader.keys],
    holds: (parameters) => isTrue(node(parameters), text),
  };
}
