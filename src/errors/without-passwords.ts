// Takes passwords out of texts that are kept or shown.

/** A word of a command line as it may be kept and shown: addresses in it, `mlflow=https://me:secret@host` too, lose their passwords. */
export function withoutPasswords(word: string): string {
  return word
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^/:?#]*):[^/?#]*@/gi, "$1@")
    .replace(/([?&](?:ssl)?(?:password|token)=)[^&]*/gi, "$1…");
}
