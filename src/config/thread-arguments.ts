// Node's own arguments for the threads of a process.

/**
 * Those of this process, as threads get them by themselves; none where its program is no file, as in
 * `node --input-type=module -e …`: a thread runs a file, does not start with arguments that say how another program is
 * written, and may not be given what is for a whole process, as all of the others may be.
 */
export function threadArguments(
  own: readonly string[] = process.execArgv,
): { readonly execArgv: [] } | undefined {
  return own.some((argument) => argument.startsWith("--input-type")) ? { execArgv: [] } : undefined;
}
