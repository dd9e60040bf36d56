// The name of a model on the hub: owner/name, or owner/name@revision.

export interface HubId {
  /** `owner/name` */
  readonly repo: string;
  /** A branch, a tag, or a commit of at least seven digits. */
  readonly revision: string;
}

export const defaultRevision = "main";

/** A word of a repository's name: letters, digits, - _ and ., beginning and ending with none of - and `.`. */
const word = /^\w(?:[\w.-]{0,94}\w)?$/;
/** What git allows in a reference, without what could lead out of a folder. */
const reference = /^\w[\w./-]{0,249}$/;

/** A model's id on the hub; undefined for a name that is none, such as a path. */
export function parseHubId(name: string): HubId | undefined {
  const [id = "", ...rest] = name.split("@");
  const words = id.split("/");
  if (words.length !== 2 || !words.every((each) => word.test(each))) return undefined;
  // The hub forbids these, and a cache folder could not tell where the owner ends.
  if (/--|\.\./.test(id) || id.endsWith(".git")) return undefined;
  if (rest.length === 0) return { repo: id, revision: defaultRevision };
  const revision = rest.join("@");
  const isReference =
    reference.test(revision) && !/\.\.|\/\/|\/\.|\/$|\.$|\.lock(\/|$)/.test(revision);
  return isReference ? { repo: id, revision } : undefined;
}

/** Whether a revision is a commit by its whole name, which never means anything else later. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
