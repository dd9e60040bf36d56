// Tests DVC's own files as text: JSON and YAML as Python writes them, .dvc files, lists of folders, configuration.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changedConfig, parseConfig, withoutSection } from "./config-file.js";
import { newDvcText, readDvcFile, updatedDvcText } from "./dvc-file.js";
import { directoryText, isInside, parseDirectory } from "./object-hash.js";
import {
  compareStrings,
  equalValues,
  floatText,
  jsonString,
  jsonText,
  PythonFloat,
  pythonString,
} from "./python-text.js";
import { readYaml, yamlText } from "./yaml-text.js";

describe("what Python writes", () => {
  it.each([
    [1e-5, "1e-05"],
    [0.0001, "0.0001"],
    [1, "1.0"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [1.5e300, "1.5e+300"],
    [-0, "-0.0"],
    [0.1 + 0.2, "0.30000000000000004"],
    [Number.NaN, "nan"],
  ])("prints the float %d as %s", (value, text) => {
    expect(floatText(value)).toBe(text);
  });

  it("escapes everything outside ASCII in JSON, surrogates one by one", () => {
    expect(jsonString('é"\n😀\u007f')).toBe('"\\u00e9\\"\\n\\ud83d\\ude00\\u007f"');
    expect(jsonText({ a: [1, new PythonFloat(2), null, true] })).toBe(
      '{"a": [1, 2.0, null, true]}',
    );
  });

  it("orders strings by code point", () => {
    expect(["😀", "ﬀ", "a", "B", "é", "ab"].toSorted(compareStrings)).toEqual([
      "B",
      "a",
      "ab",
      "é",
      "ﬀ",
      "😀",
    ]);
    const points = (text: string) => Array.from(text, (character) => character.codePointAt(0) ?? 0);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
        const [x, y] = [points(a), points(b)];
        const at = x.findIndex((point, index) => point !== y[index]);
        const wanted = at === -1 ? x.length - y.length : (x[at] ?? 0) - (y[at] ?? -1);
        expect(Math.sign(compareStrings(a, b))).toBe(Math.sign(wanted));
      }),
    );
  });

  it("prints lists as str() does", () => {
    expect(pythonString([1, "a'b", new PythonFloat(0.5), true, null])).toBe(
      '[1, "a\'b", 0.5, True, None]',
    );
  });

  it("finds 1, 1.0 and true equal, and dicts whatever their order", () => {
    expect(equalValues(1, new PythonFloat(1))).toBe(true);
    expect(equalValues({ a: 1, b: [true] }, { b: [1], a: 1 })).toBe(true);
    expect(equalValues({ a: 1 }, { a: 1, b: null })).toBe(false);
    expect(equalValues("1", 1)).toBe(false);
  });
});

describe("yamlText", () => {
  // Recorded from ruamel.yaml as dvc 3.67.1 uses it.
  it.each([
    [
      { schema: "2.0", a: ["1e5", "true", "", "x: y", "- z", "#c", "it's", "t\tb"] },
      "schema: '2.0'\na:\n- '1e5'\n- 'true'\n- ''\n- 'x: y'\n- '- z'\n- '#c'\n- it's\n- \"t\\tb\"\n",
    ],
    [
      { a: { b: [[1, 2], { c: null }], d: {}, e: [] } },
      "a:\n  b:\n  - - 1\n    - 2\n  - c:\n  d: {}\n  e: []\n",
    ],
    [{ cmd: "a\nb" }, 'cmd: "a\\nb"\n'],
    [{ lr: new PythonFloat(1e-5), n: 1, on: false }, "lr: 1e-05\nn: 1\non: false\n"],
    [
      { cmd: `cp model/w.txt last.txt && echo ${"x".repeat(30)} ${"y".repeat(40)} zz` },
      `cmd: cp model/w.txt last.txt && echo ${"x".repeat(30)} \n  ${"y".repeat(40)} zz\n`,
    ],
    [{ path: "p".repeat(90) }, `path: \n  ${"p".repeat(90)}\n`],
  ])("writes %j as dvc's writer does", (value, text) => {
    expect(yamlText(value)).toBe(text);
  });

  it("reads back what it wrote", () => {
    const scalar = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 120 }),
      fc.boolean(),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(scalar, { minLength: 1 }), (list) => {
        expect(readYaml(yamlText({ list }), "x.yaml")).toEqual({ list });
      }),
    );
  });

  it("tells floats from integers when reading", () => {
    expect(readYaml("a: 1.0\nb: 1\nc: 1e3\n", "x.yaml")).toEqual({
      a: new PythonFloat(1),
      b: 1,
      c: new PythonFloat(1000),
    });
  });

  it("names the file and the line of what is no YAML", () => {
    expect(() => readYaml("a: [1\nb: 2\n", "dvc.yaml")).toThrow(
      /dvc\.yaml cannot be used: line \d: /,
    );
  });
});

describe("a folder's list", () => {
  it("is sorted by code point and has DVC's bytes", () => {
    const md5 = "0".repeat(32);
    const names = ["é", "b/c", "B"].map((relpath) => ({ relpath, md5 }));
    expect(directoryText(names)).toBe(
      `[{"md5": "${md5}", "relpath": "B"}, {"md5": "${md5}", "relpath": "b/c"}, {"md5": "${md5}", "relpath": "\\u00e9"}]`,
    );
    expect(parseDirectory(directoryText(names))?.map(({ relpath }) => relpath)).toEqual([
      "B",
      "b/c",
      "é",
    ]);
  });

  it.each(["../x", "/etc/passwd", "a/../../b", "a//b", "", "."])(
    "with the path %j is none",
    (relpath) => {
      expect(isInside(relpath)).toBe(false);
      expect(parseDirectory(JSON.stringify([{ md5: "0".repeat(32), relpath }]))).toBeUndefined();
    },
  );

  it.each(["{", "{}", '[{"relpath": "a"}]', '[{"md5": "x", "relpath": "a"}]'])(
    "is not %s",
    (text) => {
      expect(parseDirectory(text)).toBeUndefined();
    },
  );
});

describe(".dvc files", () => {
  const id = "a2056bed17b8e3f5fc90914c62abcc2f";
  const content = { hash: { id, hashName: "md5" as const }, sizeBytes: 3499, isExecutable: true };

  it("are written with their keys in DVC's order", () => {
    expect(newDvcText("x y", content)).toBe(
      `outs:\n- md5: ${id}\n  size: 3499\n  isexec: true\n  hash: md5\n  path: x y\n`,
    );
    const folder = {
      hash: { id: `${id}.dir`, hashName: "md5" as const },
      sizeBytes: 1,
      fileCount: 2,
    };
    expect(newDvcText("set", folder)).toContain("  size: 1\n  nfiles: 2\n  hash: md5\n");
  });

  it("keep comments, meta and descriptions when their content changes", () => {
    const text =
      "# the training rows\nouts:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 0\n  hash: md5\n  path: x # here\n  desc: rows\nmeta:\n  owner: me\n";
    const { isExecutable: _, ...plain } = content;
    expect(updatedDvcText(text, "x.dvc", "x", plain)).toBe(
      `# the training rows\nouts:\n- md5: ${id}\n  size: 3499\n  hash: md5\n  path: x # here\n  desc: rows\nmeta:\n  owner: me\n`,
    );
  });

  it("of DVC 2 are read as such, and written as DVC 3's", () => {
    const text = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 0\n  path: x\n";
    expect(readDvcFile(text, "data/x.dvc").outputs[0]).toMatchObject({
      path: "data/x",
      hashName: "md5-dos2unix",
    });
    expect(updatedDvcText(text, "x.dvc", "x", content)).toContain("  hash: md5\n");
  });

  it.each([
    ["outs: 3\n", /outs and deps must be lists/],
    ["outs:\n- md5: 12\n  path: x\n", /which is no MD5/],
    ["outs:\n- size: 3\n", /an output has no path/],
    ["- a\n", /no mapping/],
    ["outs:\n- hash: sha256\n  path: x\n", /only md5 is read/],
    ["outs:\n- [\n", /line \d/],
  ])("refuses %j", (text, message) => {
    expect(() => readDvcFile(text, "x.dvc")).toThrow(message);
  });
});

describe("the configuration", () => {
  const text =
    "[core]\n    remote = store # the one\n['remote \"store\"']\n    url = ../../remote\n    x = 'a, b'\n";

  it("is read with its sections' names and quotes", () => {
    expect(parseConfig(text, "config")).toEqual({
      core: { remote: "store" },
      'remote "store"': { url: "../../remote", x: "a, b" },
    });
  });

  it("is changed in place", () => {
    const changed = changedConfig(text, "core", "autostage", "false");
    expect(changed).toBe(text.replace("the one\n", "the one\n    autostage = false\n"));
    expect(changedConfig(changed, "core", "autostage", undefined)).toBe(text);
    expect(changedConfig("", 'remote "a"', "url", "s3://b")).toBe(
      "['remote \"a\"']\n    url = s3://b\n",
    );
    expect(withoutSection(text, 'remote "store"')).toBe("[core]\n    remote = store # the one\n");
    expect(changedConfig("", "cache", "type", "reflink,copy")).toBe(
      '[cache]\n    type = "reflink,copy"\n',
    );
  });

  it("names the line that is neither", () => {
    expect(() => parseConfig("[core]\nhello\n", ".dvc/config")).toThrow(/\.dvc\/config.*line 2/);
  });
});
