// Reads what one TypeScript file depends on: imports of every form, worker files, and the names taken from each.
import ts from "typescript";

export interface Import {
  /** As written: `./x.js`, `node:fs`, `hono`. */
  readonly specifier: string;
  /** `type` leaves no trace in the compiled file; `worker` is loaded by URL in another thread. */
  readonly kind: "runtime" | "type" | "worker";
  /** Names taken from the module; `*` where the whole of it is. */
  readonly names: readonly string[];
  readonly line: number;
}

export interface SourceFacts {
  readonly imports: readonly Import[];
  /** Lines of `import(x)` and `require(x)` whose argument is no literal, so that nobody can follow them. */
  readonly unfollowable: readonly number[];
  /** Lines that throw or reject with a built-in error class. */
  readonly bareErrors: readonly number[];
  /** The comment the file opens with, without its marks; empty where there is none. */
  readonly purpose: string;
  readonly lineCount: number;
}

const builtInErrors = new Set(["Error", "TypeError", "RangeError", "SyntaxError", "EvalError"]);

/** Parses a file (by its syntax alone: nothing is resolved or run). */
export function readSource(path: string, text: string): SourceFacts {
  const kind = path.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, kind);
  const imports: Import[] = [];
  const unfollowable: number[] = [];
  const bareErrors: number[] = [];
  const lineOf = (node: ts.Node) => source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
  const add = (node: ts.Node, specifier: string, kind: Import["kind"], names: readonly string[]) =>
    imports.push({ specifier, kind, names, line: lineOf(node) });

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const clause = node.importClause;
      const typeOnly = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      add(node, node.moduleSpecifier.text, typeOnly ? "type" : "runtime", importedNames(clause));
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      if (ts.isStringLiteral(node.moduleSpecifier)) {
        const names = exportedNames(node.exportClause);
        add(node, node.moduleSpecifier.text, node.isTypeOnly ? "type" : "runtime", names);
      }
    } else if (ts.isImportTypeNode(node)) {
      if (ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
        const names = node.qualifier === undefined ? ["*"] : [leftmost(node.qualifier)];
        add(node, node.argument.literal.text, "type", names);
      }
    } else if (ts.isImportEqualsDeclaration(node)) {
      if (ts.isExternalModuleReference(node.moduleReference)) {
        const target = node.moduleReference.expression;
        if (ts.isStringLiteral(target))
          add(node, target.text, node.isTypeOnly ? "type" : "runtime", ["*"]);
      }
    } else if (ts.isCallExpression(node) && isLoadingCall(node)) {
      const target = node.arguments[0];
      if (target !== undefined && ts.isStringLiteralLike(target)) {
        add(node, target.text, "runtime", ["*"]);
      } else unfollowable.push(lineOf(node));
    } else if (ts.isNewExpression(node)) {
      const url = urlBesideFile(node);
      if (url?.endsWith(".js")) add(node, url, "worker", ["*"]);
    }
    if (isBareError(node)) bareErrors.push(lineOf(node));
    ts.forEachChild(node, visit);
  };
  visit(source);
  return {
    imports,
    unfollowable,
    bareErrors,
    purpose: openingComment(text),
    lineCount: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
  };
}

function importedNames(clause: ts.ImportClause | undefined): string[] {
  if (clause === undefined) return [];
  const names = clause.name === undefined ? [] : ["default"];
  const bindings = clause.namedBindings;
  if (bindings === undefined) return names;
  if (ts.isNamespaceImport(bindings)) return [...names, "*"];
  return [...names, ...bindings.elements.map((each) => (each.propertyName ?? each.name).text)];
}

function exportedNames(clause: ts.NamedExportBindings | undefined): string[] {
  if (clause === undefined || ts.isNamespaceExport(clause)) return ["*"];
  return clause.elements.map((each) => (each.propertyName ?? each.name).text);
}

function leftmost(name: ts.EntityName): string {
  return ts.isIdentifier(name) ? name.text : leftmost(name.left);
}

/** `import(x)` or `require(x)`; the latter only ever by that name. */
function isLoadingCall(node: ts.CallExpression): boolean {
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(node.expression) && node.expression.text === "require";
}

/** The relative URL in `new URL("./x-worker.js", import.meta.url)`. */
function urlBesideFile(node: ts.NewExpression): string | undefined {
  const [target, base] = node.arguments ?? [];
  if (!ts.isIdentifier(node.expression) || node.expression.text !== "URL") return undefined;
  if (target === undefined || !ts.isStringLiteralLike(target)) return undefined;
  if (base?.getText() !== "import.meta.url" || !target.text.startsWith(".")) return undefined;
  return target.text;
}

/** `throw new Error(…)`, `Promise.reject(new Error(…))` and `reject(new Error(…))`. */
function isBareError(node: ts.Node): boolean {
  if (ts.isThrowStatement(node)) return isBuiltInError(node.expression);
  if (!ts.isCallExpression(node)) return false;
  const called = node.expression;
  const name = ts.isPropertyAccessExpression(called) ? called.name.text : called.getText();
  const argument = node.arguments[0];
  return name === "reject" && argument !== undefined && isBuiltInError(argument);
}

function isBuiltInError(node: ts.Expression): boolean {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return false;
  return ts.isIdentifier(node.expression) && builtInErrors.has(node.expression.text);
}

function openingComment(text: string): string {
  const body = text.startsWith("#!") ? text.slice(text.indexOf("\n") + 1) : text;
  const range = ts.getLeadingCommentRanges(body, 0)?.[0];
  if (range === undefined || body.slice(0, range.pos).trim() !== "") return "";
  return body
    .slice(range.pos, range.end)
    .replaceAll(/^\/\*\*?|\*\/$|^\/\/|^\s*\*/gm, "")
    .trim();
}
