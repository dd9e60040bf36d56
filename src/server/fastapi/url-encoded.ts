// Reads application/x-www-form-urlencoded bodies as Starlette does, so that its answers can be given to them.
// Source: starlette/formparsers.py (FormParser) 1.10 and python-multipart's QuerystringParser 0.0.34.

const maxFields = 1000;
const maxFieldBytes = 1024 * 1024;

/** The fields in order, or why Starlette would refuse them. */
export function parseUrlEncoded(
  body: Buffer,
):
  | { readonly fields: readonly (readonly [name: string, value: string])[] }
  | { readonly refusal: string } {
  const fields: [string, string][] = [];
  for (let at = 0; at < body.length; ) {
    const next = body.indexOf("&", at);
    const end = next < 0 ? body.length : next;
    const piece = body.toString("latin1", at, end);
    at = end + 1;
    if (piece === "") continue;
    const equals = piece.indexOf("=");
    const name = equals < 0 ? piece : piece.slice(0, equals);
    const value = equals < 0 ? "" : piece.slice(equals + 1);
    if (name.length + value.length > maxFieldBytes) {
      return { refusal: `Field exceeded maximum size of ${maxFieldBytes / 1024}KB.` };
    }
    if (fields.length === maxFields) {
      return { refusal: `Too many fields. Maximum number of fields is ${maxFields}.` };
    }
    fields.push([decode(name), decode(value)]);
  }
  return { fields };
}

/** Python's unquote_plus: escapes are UTF-8 bytes, and what is no escape stays as it is. */
function decode(text: string): string {
  return text
    .replaceAll("+", " ")
    .replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (run) =>
      Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"),
    );
}
