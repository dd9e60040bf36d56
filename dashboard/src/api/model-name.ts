// What a model is called where there is little room.

/** A model's name as a person says it: of a folder's path the last part, of a hub id all. */
export function shortName(name: string): string {
  const isPath = /^(?:[./~\\]|[a-z]:[\\/])/i.test(name) || name.split("/").length > 2;
  return isPath ? (name.split(/[\\/]/).findLast((part) => part !== "") ?? name) : name;
}
