// Tests that a form with a file is read within its bounds, whatever shape it comes in.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Form, type FormRefusal, parseForm, parseParameters } from "./multipart.js";

const type = "multipart/form-data; boundary=B";

function parts(body: string | Buffer, contentType = type): Form {
  const form = parseForm(Buffer.from(body), contentType);
  expect(form).toHaveProperty("parts");
  return form as Form;
}

describe("parseForm", () => {
  it("takes files and fields in order, byte for byte", () => {
    const { parts: found, cut } = parts(
      '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' +
        '--B\r\ncontent-disposition: form-data; name="file"; filename="x.txt"\r\n' +
        "Content-Type: text/plain; charset=latin1\r\n\r\n\r\n--B in the text --B\r\n\r\n--B--\r\nafter",
    );
    expect(cut).toBe(false);
    expect(found.map(({ bytes, ...rest }) => ({ ...rest, text: bytes.toString() }))).toEqual([
      { name: "a", fileName: undefined, mediaType: undefined, charset: undefined, text: "1" },
      {
        name: "file",
        fileName: "x.txt",
        mediaType: "text/plain",
        charset: "latin1",
        text: "\r\n--B in the text --B\r\n",
      },
    ]);
  });

  it("gives back whatever bytes a file has", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (content) => {
        const head = '--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n';
        const body = Buffer.concat([Buffer.from(head), content, Buffer.from("\r\n--B--\r\n")]);
        expect([...(parts(body).parts[0]?.bytes ?? [])]).toEqual([...content]);
      }),
    );
  });

  it("answers something for any bytes at all", () => {
    const fragments = fc.constantFrom(
      ...[
        "--B",
        "--B--",
        "\r\n",
        "\r",
        "\n",
        "-",
        ":",
        ";",
        '"',
        "name=",
        "Content-Disposition: form-data; ",
        "x",
        "\0",
      ],
    );
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 30 }), (pieces) => {
        const form: Form | FormRefusal = parseForm(Buffer.from(pieces.join("")), type);
        expect("refusal" in form || Array.isArray(form.parts)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("takes long bodies full of near misses in linear time", () => {
    const head = '--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n';
    const filler = "\r\n--Bx".repeat(300_000);
    expect(parts(`${head}${filler}\r\n--B--\r\n`).parts[0]?.bytes.length).toBe(filler.length);
  });

  it("knows where a body was cut", () => {
    const whole =
      '--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\ntext\r\n--B--';
    for (let length = 0; length < whole.length; length += 1) {
      const form = parts(whole.slice(0, length));
      expect(form, `${length} bytes`).toEqual({ parts: [], cut: true });
    }
    expect(parts(whole).parts).toHaveLength(1);
  });
});

describe("parseParameters", () => {
  it.each([
    ['form-data; name="a;b"; filename="c\\"d"', "form-data", { name: "a;b", filename: 'c"d' }],
    ["multipart/form-data;boundary=x", "multipart/form-data", { boundary: "x" }],
    ['MULTIPART/form-data ; BOUNDARY="a b"', "multipart/form-data", { boundary: "a b" }],
    ["form-data; name=a; filename=C:\\dir\\b.txt", "form-data", { name: "a", filename: "b.txt" }],
    ["form-data; name=a; filename*=UTF-8''b.txt", "form-data", { name: "a" }],
    ["text/plain", "text/plain", {}],
    ["", "", {}],
  ])("reads %s", (header, value, parameters) => {
    const read = parseParameters(header);
    expect(read.value).toBe(value);
    expect(Object.fromEntries(read.parameters)).toEqual(parameters);
  });
});
