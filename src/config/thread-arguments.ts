// Node's own arguments for the threads of a process.

/**
 * What a Worker is told of them. As a rule nothing: it gets those of its process. Where the process's program is no file, as with
 * `node --input-type=module -e …`, it gets none: a thread runs a file, and does not start with `--input-type`; the others cannot
 * be handed on one by one, since Node refuses those that are for a whole process.
 */
export function threadArguments(
  own: readonly string[] = process.execArgv,
): { readonly execArgv: [] } | undefined {
  return own.some((argument) => argument.startsWith("--input-type")) ? { execArgv: [] } : undefined;
}
