// POST /bert and POST /bert-file/: the routes of the original FastAPI service, with its answers to bad input.
import { z } from "@hono/zod-openapi";
import { BridleError } from "../errors/error.js";
import type { RequestContext, ServerContext } from "./context.js";
import { parseUrlEncoded } from "./fastapi/url-encoded.js";
import {
  detail,
  isBlank,
  type JsonAnswer,
  missing,
  notAFile,
  readContent,
  tooShort,
} from "./fastapi/validation.js";
import { type FormPart, parseForm, parseParameters } from "./multipart.js";
import { readBytes } from "./request-body.js";
import { fastApiResponses, type RouteTable, summarizeAccess } from "./routes.js";
import { BertSchema, fileForm } from "./schemas.js";
import { checkOpenForWork, summarize, withTurn } from "./work.js";

const jsonHeaders = { "content-type": "application/json" };

function send({ status, body }: JsonAnswer): Response {
  return new Response(body, { status, headers: jsonHeaders });
}

export function originalRoutes(server: ServerContext): RouteTable {
  const responses = {
    200: { description: "The summary.", content: { "application/json": { schema: BertSchema } } },
    ...fastApiResponses,
  };
  return [
    {
      method: "POST",
      path: "/bert",
      access: summarizeAccess,
      handle: (c) => postBert(server, c),
      describe: {
        operationId: "bert",
        tags: ["Original"],
        summary: "Summarize a text (the original service's route)",
        request: {
          body: {
            required: true,
            content: {
              "application/json": {
                schema: z.object({ content: z.string().min(1) }).openapi("Item"),
              },
            },
          },
        },
        responses,
      },
    },
    {
      method: "POST",
      path: "/bert-file/",
      access: summarizeAccess,
      handle: (c) => postBertFile(server, c),
      describe: {
        operationId: "bertFile",
        tags: ["Original"],
        summary: "Summarize a file (the original service's route)",
        request: {
          body: {
            required: true,
            content: {
              "multipart/form-data": fileForm,
            },
          },
        },
        responses,
      },
    },
  ];
}

/** POST /bert: `{"content": "…"}` → `{"summary", "model", "version", "truncated", "usage"}`. */
async function postBert(server: ServerContext, c: RequestContext): Promise<Response> {
  checkOpenForWork(server);
  const bytes = await readBytes(server, c);
  const read = readContent(bytes, c.env.incoming.headers["content-type"]);
  if ("answer" in read) return send(read.answer);
  const { content } = read;
  return await answerBlankAs(
    () => content,
    () => withTurn(server, c.var.scope, () => answerText(server, c, content, [])),
  );
}

/** POST /bert-file/: a form with a file in the field `file`. Where it holds several, the last counts, as in FastAPI. */
async function postBertFile(server: ServerContext, c: RequestContext): Promise<Response> {
  checkOpenForWork(server);
  const bytes = await readBytes(server, c);
  const taken = takeFile(bytes, c.env.incoming.headers["content-type"] ?? "");
  if ("answer" in taken) return send(taken.answer);
  const { file, ignored } = taken;
  const { scope } = c.var;
  const { signal } = scope;
  let text = "";
  const work = async (): Promise<Response> => {
    const read = await server.service.reader.read(file.bytes, file, { signal });
    text = read.text;
    const notes =
      ignored === 0 ? [] : [`The form held ${ignored + 1} files; only the last was read.`];
    return await answerText(server, c, text, [...notes, ...read.warnings]);
  };
  return await answerBlankAs(
    () => text,
    () => withTurn(server, scope, work),
  );
}

/** Summarizes within a turn already taken. @throws EMPTY_TEXT */
async function answerText(
  server: ServerContext,
  c: RequestContext,
  text: string,
  warnings: readonly string[],
): Promise<Response> {
  if (isBlank(text)) throw new BridleError("EMPTY_TEXT", { where: "the document" });
  const result = await summarize(server, c.var.scope, { document: text });
  const { summary, model, version, truncated, usage } = result;
  const notes = warnings.length > 0 ? { warnings } : {};
  return Response.json({ summary, model, version, truncated, usage, ...notes });
}

/** Text without a single word is as good as blank; a turn that ends with that has failed. */
async function answerBlankAs(
  textOf: () => string,
  work: () => Promise<Response>,
): Promise<Response> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof BridleError && thrown.code === "EMPTY_TEXT")
      return send(tooShort(textOf()));
    throw thrown;
  }
}

/** The file of a form's field `file`, or what FastAPI says where there is none. */
function takeFile(
  body: Buffer,
  contentType: string,
): { readonly file: FormPart; readonly ignored: number } | { readonly answer: JsonAnswer } {
  const noFile = { answer: missing(["body", "file"]) };
  switch (parseParameters(contentType).value) {
    case "multipart/form-data": {
      const form = parseForm(body, contentType);
      if ("refusal" in form) return { answer: detail(400, form.refusal) };
      const named = form.parts.filter((part) => part.name === "file");
      const file = named.at(-1);
      if (file === undefined) return noFile;
      if (file.fileName === undefined) {
        const value = file.bytes.toString("utf8");
        return value === "" ? noFile : { answer: notAFile(value) };
      }
      if (file.fileName === "" && file.bytes.length === 0) return noFile;
      const files = named.filter((part) => part.fileName !== undefined);
      return { file, ignored: files.length - 1 };
    }
    case "application/x-www-form-urlencoded": {
      const form = parseUrlEncoded(body);
      if ("refusal" in form) return { answer: detail(400, form.refusal) };
      const value = form.fields.findLast(([name]) => name === "file")?.[1];
      return value === undefined || value === "" ? noFile : { answer: notAFile(value) };
    }
    default:
      return noFile;
  }
}
