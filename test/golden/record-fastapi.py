"""Records what a FastAPI service with the original two routes answers to odd requests, as test/golden/fastapi.json.

Run once by hand, never by the tests:

    python3 -m venv venv && venv/bin/pip install fastapi==0.165.0 uvicorn==0.54.0 python-multipart==0.0.34
    venv/bin/python test/golden/record-fastapi.py test/golden/fastapi.json

Requests go over bare sockets, so that no client library tidies them up on the way.
"""

import base64
import json
import platform
import socket
import sys
import threading
import time
from importlib.metadata import version
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, UploadFile
from pydantic import BaseModel, StringConstraints

app = FastAPI()


class Item(BaseModel):
    content: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


@app.post("/bert")
def bert(item: Item):
    return {"summary": item.content[:20]}


@app.post("/bert-file/")
async def bert_file(file: UploadFile = File(...)):
    return {"summary": (await file.read()).decode()[:20]}


JSON = "application/json"
cases = []


def case(name, method, path, headers=(), body=b""):
    """One request; a str body is sent as UTF-8, a list alternates texts with how often each is repeated."""
    cases.append({"name": name, "method": method, "path": path, "headers": list(headers), "body": body})


def to_bytes(body):
    if isinstance(body, list):
        body = "".join(text * count for text, count in zip(body[::2], body[1::2]))
    return body.encode() if isinstance(body, str) else body


def post(name, body, content_type=JSON, path="/bert"):
    headers = [("Content-Type", content_type)] if content_type is not None else []
    case(name, "POST", path, headers, body)


# --- /bert: the body's shape ------------------------------------------------
post("good", '{"content":"string"}')
post("good with an unknown field", '{"content":"string","extra":[1,{"a":null}]}')
post("good, duplicate keys, last wins", '{"content":1,"content":"string"}')
post("good, lone surrogate escape", '{"content":"a \\ud800 b"}')
post("good, NaN beside it", '{"content":"string","x":NaN}')
post("good, whitespace around", ' \t\r\n{"content":"string"}\n ')
post("good, astral", '{"content":"\U0001f600"}')
post("good, zero-width space only", '{"content":"\\u200b"}')
post("good, byte order mark character only", '{"content":"\\ufeff"}')
post("duplicate keys, last is wrong", '{"content":"string","content":1}')
post("empty string", '{"content":""}')
post("blank", '{"content":"   "}')
post("blank, tabs and newlines", '{"content":"\\t\\n\\r "}')
post("blank, no-break and ideographic spaces", '{"content":"\\u00a0\\u3000"}')
post("blank, next line character", '{"content":"\\u0085"}')
post("missing", "{}")
post("missing, other fields", '{"text":"string"}')
post("missing, wrong case", '{"Content":"string"}')
post("missing, echo of values", '{"a":1.0,"b":[true,false,null],"c":{"d":"\u00e9"},"e":1e3,"f":-0,"g":-0.0,"h":1E-7,"i":12345678901234567890}')
post("missing, echo of floats", '{"a":[0.1,1.5e300,1e16,1e15,123456789012345680.0,1e22,1e21,5e-324,0.0001,0.00001,1e400,-1e400,100000.0,1.0e5]}')
post("missing, echo of NaN and infinities", '{"a":[NaN,Infinity,-Infinity]}')
post("missing, echo of escapes", '{"a":"\\u0000\\u001f\\"\\\\\\/\\b\\f\\n\\r\\t\\u007f\\u2028\\u00e9\\ud83d\\ude00<>&"}')
post("missing, prototype keys", '{"__proto__":{"content":"x"},"constructor":1,"toString":2}')
post("missing, content only in the prototype", '{"__proto__":{"content":"x"}}')
post("missing, integer-like keys keep their order", '{"b":1,"2":2,"a":3,"1":4}')
post("missing, duplicate other keys keep the first place", '{"a":1,"b":2,"a":3}')
post("missing, empty key", '{"":1}')
post("null content", '{"content":null}')
post("number content", '{"content":1}')
post("float content", '{"content":1.50}')
post("true content", '{"content":true}')
post("false content", '{"content":false}')
post("array content", '{"content":["a","b"]}')
post("object content", '{"content":{"a":"b"}}')
post("huge integer content", '{"content":123456789012345678901234567890123456789012345678901234567890}')
post("integer of 5000 digits", ['{"content":', 1, "9", 5000, "}", 1])
post("negative zero", '{"content":-0}')
post("NaN content", '{"content":NaN}')
post("Infinity content", '{"content":Infinity}')
post("empty body", "")
post("empty body without a content type", "", None)
post("whitespace body", "   ")
post("null", "null")
post("true", "true")
post("number", "1")
post("float", "1.0")
post("string", '"string"')
post("empty string body", '""')
post("array", "[]")
post("array of objects", '[{"content":"string"}]')
post("NaN body", "NaN")

# --- /bert: broken JSON, with positions --------------------------------------
broken = {
    "open brace": "{",
    "open brace and newline": "{\n",
    "word": "hello",
    "single quotes": "{'content':'a'}",
    "unquoted key": '{content:"a"}',
    "no colon": '{"content"}',
    "no colon, space": '{"content" "a"}',
    "no value": '{"content":}',
    "no value, end": '{"content":',
    "no value, space at the end": '{"content": ',
    "unterminated string": '{"content":"a',
    "unterminated key": '{"content',
    "unterminated object": '{"content":"a"',
    "unterminated object, spaces": '{"content":"a"  ',
    "trailing comma": '{"content":"a",}',
    "trailing comma, spaces": '{"content":"a" , }',
    "comma and end": '{"content":"a",',
    "comma and end, space": '{"content":"a", ',
    "two commas": '{"content":"a",,"b":1}',
    "leading comma": '{,"content":"a"}',
    "key is a number": '{1:2}',
    "missing comma": '{"content":"a" "b":1}',
    "extra data": '{"content":"a"}x',
    "extra data after spaces": '{"content":"a"}  {}',
    "two closing braces": '{"content":"a"}}',
    "raw newline in a string": '{"content":"a\nb"}',
    "raw tab in a string": '{"content":"a\tb"}',
    "raw NUL in a string": '{"content":"a\x00b"}',
    "bad escape": '{"content":"a\\qb"}',
    "escape at the end": '{"content":"a\\',
    "short unicode escape": '{"content":"\\u12"}',
    "bad unicode escape": '{"content":"\\u12g4"}',
    "unicode escape at the end": '{"content":"\\u123',
    "unicode escape with a sign": '{"content":"\\u+123"}',
    "bad second surrogate": '{"content":"\\ud83d\\uzzzz"}',
    "open bracket": "[",
    "array trailing comma": "[1,]",
    "array missing comma": "[1 2]",
    "array double comma": "[1,,2]",
    "array unterminated": "[1",
    "array comma end": "[1,",
    "array comma space end": "[1, ",
    "array leading comma": "[,1]",
    "nested broken": '{"a":[{"b":tru}]}',
    "leading zero": '{"content":01}',
    "plus sign": '{"content":+1}',
    "lone minus": '{"content":-}',
    "dot first": '{"content":.5}',
    "dot last": '{"content":1.}',
    "bad exponent": '{"content":1e}',
    "hex": '{"content":0x10}',
    "comment": '{"content":"a"/*x*/}',
    "True": '{"content":True}',
    "nan": '{"content":nan}',
    "minus Infinit": '{"content":-Infinit}',
    "Infinit": '{"content":Infinit}',
    "position counts characters, not bytes": '{"\u00e9\u00e9":"\u20ac\u20ac", x}',
    "position counts an astral character as one": '{"\U0001f600":"\U0001f600", x}',
    "after several lines": '{\n  "content": "a",\n  "b": \n}',
    "no-break space": '{\u00a0"content":"a"}',
    "form encoded with a JSON type": "content=string",
    "html with a JSON type": "<p>string</p>",
}
for name, text in broken.items():
    post("broken: " + name, text)

# --- /bert: bytes ----------------------------------------------------------------
post("invalid UTF-8", b'{"content":"\xff\xfe\xfa"}')
post("invalid UTF-8, Latin-1 text", '{"content":"caf\u00e9"}'.encode("latin-1"))
post("overlong UTF-8", b'{"content":"\xc0\xaf"}')
post("UTF-8 encoded surrogate", b'{"content":"\xed\xa0\x80"}')
post("truncated UTF-8", b'{"content":"\xe2\x82"}')
post("UTF-8 with byte order mark", b"\xef\xbb\xbf" + b'{"content":"string"}')
post("byte order mark, then broken", b"\xef\xbb\xbf" + b"{x")
post("byte order mark only", b"\xef\xbb\xbf")
post("UTF-16 LE with byte order mark", b"\xff\xfe" + '{"content":"string"}'.encode("utf-16-le"))
post("UTF-16 BE with byte order mark", b"\xfe\xff" + '{"content":"string"}'.encode("utf-16-be"))
post("UTF-16 LE", '{"content":"string"}'.encode("utf-16-le"))
post("UTF-16 BE", '{"content":"string"}'.encode("utf-16-be"))
post("UTF-32 LE", '{"content":"string"}'.encode("utf-32-le"))
post("UTF-32 BE with byte order mark", '\ufeff{"content":"string"}'.encode("utf-32-be"))
post("UTF-16 of odd length", '{"content":"string"}'.encode("utf-16-le") + b"\x20")
post("UTF-16 LE, wrong field", '{"x":1}'.encode("utf-16-le"))
post("binary", bytes(range(256)))
post("nested 100 deep", '{"content":' + "[" * 100 + "]" * 100 + "}")
post("nested 100000 deep", ['{"content":', 1, "[", 100_000, "]", 100_000, "}", 1])
post("nested 100000 deep, unclosed", ["[", 100_000])
post("objects nested 100000 deep", ['{"a":', 100_000])

# --- /bert: content types ----------------------------------------------------------
good = '{"content":"string"}'
for content_type in [
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "application/json; charset=latin-1",
    "APPLICATION/JSON",
    " application/json ",
    "application/problem+json",
    "application/vnd.api+json; version=1",
    "application/json-patch",
    "application/jsonp",
    "text/json",
    "text/plain",
    "text/html; charset=utf-8",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application",
    "json",
    "application/",
    "/json",
    "application/json/x",
    "application/json, text/plain",
    "application/json;",
    ";application/json",
    "*/*",
    "",
]:
    post("content type " + repr(content_type), good, content_type)
post("no content type", good, None)
post("no content type, form body", "content=string", None)
post("form body", "content=string", "application/x-www-form-urlencoded")
post("text body", "The text itself.", "text/plain")
post("text body, UTF-8", "Der Text sel\u0131st.", "text/plain")
post("text body, quotes and controls", 'a"b\\c\n\t\x01', "text/plain")
post("text body, invalid UTF-8", b"caf\xe9", "text/plain")
post("XML body", "<a/>", "application/xml")
multipart_text = '--B\r\nContent-Disposition: form-data; name="content"\r\n\r\nstring\r\n--B--\r\n'
post("multipart to /bert", multipart_text, "multipart/form-data; boundary=B")
case("two content types", "POST", "/bert", [("Content-Type", JSON), ("Content-Type", "text/plain")], good)

# --- /bert-file/ -------------------------------------------------------------------


def part(disposition, body=b"A text.", extra=()):
    lines = ["Content-Disposition: " + disposition] if disposition is not None else []
    head = "\r\n".join([*lines, *extra])
    return head.encode() + b"\r\n\r\n" + (body.encode() if isinstance(body, str) else body)


def form(*parts, boundary="B", end=True, preamble=b"", epilogue=b""):
    sep = b"--" + boundary.encode()
    out = preamble + b"".join(sep + b"\r\n" + p + b"\r\n" for p in parts)
    return out + (sep + b"--\r\n" if end else b"") + epilogue


def upload(name, body, content_type="multipart/form-data; boundary=B", path="/bert-file/"):
    post("file: " + name, body, content_type, path)


FILE = 'form-data; name="file"; filename="text.txt"'
upload("good", form(part(FILE)))
upload("good, with a type", form(part(FILE, extra=["Content-Type: text/plain"])))
upload("good, other fields beside", form(part('form-data; name="a"', "1"), part(FILE), part('form-data; name="b"', "2")))
upload("good, other file beside", form(part('form-data; name="other"; filename="o.txt"'), part(FILE)))
upload("good, quoted boundary", form(part(FILE), boundary="a b"), 'multipart/form-data; boundary="a b"')
upload("good, preamble and epilogue", form(part(FILE), epilogue=b"ignored"))
upload("preamble", form(part(FILE), preamble=b"ignored\r\n"))
upload("good, filename without quotes", form(part("form-data; name=file; filename=text.txt")))
upload("good, filename star", form(part("form-data; name=\"file\"; filename*=UTF-8''te%20xt.txt")))
upload("good, upper-case header names", form(part(None, extra=["CONTENT-DISPOSITION: " + FILE])))
upload("good, not called form-data", form(part('attachment; name="file"; filename="text.txt"')))
upload("no body", b"")
upload("no parts", form())
upload("no file, other field", form(part('form-data; name="other"', "x")))
upload("other file only", form(part('form-data; name="other"; filename="o.txt"')))
upload("text field called file", form(part('form-data; name="file"', "A text.")))
upload("empty text field called file", form(part('form-data; name="file"', "")))
upload("text field called file with a type", form(part('form-data; name="file"', "A text.", extra=["Content-Type: text/plain"])))
upload("octet-stream without a filename", form(part('form-data; name="file"', "A text.", extra=["Content-Type: application/octet-stream"])))
upload("empty filename", form(part('form-data; name="file"; filename=""', "")))
upload("empty filename with content", form(part('form-data; name="file"; filename=""', "A text.")))
upload("two files, last wins", form(part(FILE, "First."), part(FILE, "Second.")))
upload("file, then text field called file", form(part(FILE), part('form-data; name="file"', "x")))
upload("text field called file, then file", form(part('form-data; name="file"', "x"), part(FILE)))
upload("file, then empty filename", form(part(FILE), part('form-data; name="file"; filename=""', "")))
upload("name missing", form(part('form-data; filename="text.txt"')))
upload("disposition missing", form(part(None, extra=["Content-Type: text/plain"])))
upload("part without headers", b"--B\r\n\r\nA text.\r\n--B--\r\n")
upload("boundary missing", form(part(FILE)), "multipart/form-data")
upload("boundary empty", form(part(FILE)), "multipart/form-data; boundary=")
upload("boundary does not match", form(part(FILE)), "multipart/form-data; boundary=C")
upload("no final boundary", form(part(FILE), end=False))
upload("cut in the middle of a part", form(part(FILE))[:-20])
upload("cut in the headers", form(part(FILE))[:30])
upload("garbage", b"garbage")
upload("header without a colon", b"--B\r\nnonsense\r\n\r\nA\r\n--B--\r\n")
upload("line feeds only", form(part(FILE)).replace(b"\r\n", b"\n"))
FIELD = '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
LAST = form(part(FILE)).decode()
upload("text field over 1 MB", [FIELD, 1, "x", 1024 * 1024 + 1, "\r\n", 1, LAST, 1])
upload("1001 fields", [FIELD + "\r\n", 1001, LAST, 1])
upload("1001 files", [FIELD.replace('"a"', '"a"; filename="a"') + "\r\n", 1001, LAST, 1])
upload("JSON", good, JSON)
upload("JSON, empty", "", JSON)
upload("no content type", good, None)
upload("text/plain", "A text.", "text/plain")
upload("urlencoded", "file=abc", "application/x-www-form-urlencoded")
upload("urlencoded, other", "a=b&c=d", "application/x-www-form-urlencoded")
upload("urlencoded, empty value", "file=", "application/x-www-form-urlencoded")
upload("urlencoded, escapes", "file=a%20b+c%C3%A9%zz", "application/x-www-form-urlencoded")
upload("urlencoded, twice", "file=1&file=2", "application/x-www-form-urlencoded")
upload("urlencoded, empty body", "", "application/x-www-form-urlencoded")
upload("upper-case multipart", form(part(FILE)), "MULTIPART/FORM-DATA; BOUNDARY=B")
upload("multipart/mixed", form(part(FILE)), "multipart/mixed; boundary=B")

# --- methods, paths --------------------------------------------------------------------
for path in ["/bert", "/bert-file/"]:
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "FOO"]:
        case(f"{method} {path}", method, path)
case("preflight without CORS", "OPTIONS", "/bert", [("Origin", "https://a.test"), ("Access-Control-Request-Method", "POST")])
for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS"]:
    case(f"{method} /bert/", method, "/bert/")
    case(f"{method} /bert-file", method, "/bert-file")
case("redirect keeps the query", "POST", "/bert/?a=1&b=%20", [("Content-Type", JSON)], good)
case("redirect keeps the query, file", "POST", "/bert-file?a=1")
case("redirect, two slashes", "POST", "/bert//")
case("redirect, file, two slashes", "POST", "/bert-file//")
case("query on the route", "POST", "/bert?x=1", [("Content-Type", JSON)], good)
case("unknown below /bert", "GET", "/bert/x")
case("unknown below /bert-file/", "POST", "/bert-file/x")
case("upper case", "POST", "/BERT", [("Content-Type", JSON)], good)
case("escaped letters", "POST", "/%62ert", [("Content-Type", JSON)], good)
case("escaped slash", "POST", "/bert%2F", [("Content-Type", JSON)], good)
case("two leading slashes", "POST", "//bert", [("Content-Type", JSON)], good)
case("fragment-like", "POST", "/bert-files", [("Content-Type", JSON)], good)


def send(port, one):
    head = [f"{one['method']} {one['path']} HTTP/1.1", "Host: service.test", "Connection: close"]
    head += [f"{name}: {value}" for name, value in one["headers"]]
    if one["body"] or one["method"] in ("POST", "PUT", "PATCH"):
        head.append(f"Content-Length: {len(one['body'])}")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        try:
            connection.sendall(one["body"])
        except OSError:
            pass
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    header, _, body = data.partition(b"\r\n\r\n")
    lines = header.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1)[:1] + line.split(": ", 1)[1:] for line in lines[1:])
    kept = {k: fields[k] for k in ("content-type", "allow", "location", "content-length") if k in fields}
    return {"status": int(lines[0].split()[1]), "headers": kept, "body": body.decode()}


def compact(body):
    """A body as it is kept: text where it is text, else base64, or texts with how often each is repeated."""
    if isinstance(body, list):
        return {"repeat": body}
    try:
        return {"text": to_bytes(body).decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def main(target):
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    recorded = []
    for one in cases:
        answer = send(port, {**one, "body": to_bytes(one["body"])})
        one = {**one, "body": compact(one["body"])}
        recorded.append({**one, "answer": answer})
    server.should_exit = True
    names = ["fastapi", "starlette", "pydantic", "pydantic_core", "python-multipart", "uvicorn", "h11"]
    provenance = {
        "recordedBy": "test/golden/record-fastapi.py",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
    with open(target, "w", encoding="utf-8") as out:
        json.dump({"provenance": provenance, "cases": recorded}, out, ensure_ascii=True, indent=1)
        out.write("\n")
    print(len(recorded), "cases")


main(sys.argv[1])
