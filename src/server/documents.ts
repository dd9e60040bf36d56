// POST /v1/documents:extract: the text of a file, for the page at / and for callers who want to look before they summarize.
import { BridleError } from "../errors/error.js";
import type { RequestContext, ServerContext } from "./context.js";
import { type FormPart, parseForm } from "./multipart.js";
import { mediaType, readBytes, refuseContentEncoding } from "./request-body.js";
import { problemResponses, type RouteTable, summarizeAccess } from "./routes.js";
import { ExtractedDocumentSchema, fileForm } from "./schemas.js";
import { checkOpenForWork, withTurn } from "./work.js";

const field = "file";

export function documentRoutes(server: ServerContext): RouteTable {
  return [
    {
      method: "POST",
      path: "/v1/documents:extract",
      access: summarizeAccess,
      handle: (c) => postExtract(server, c),
      describe: {
        operationId: "extractDocument",
        tags: ["Documents"],
        summary: "Read the text of a file (txt, md, html, pdf, docx)",
        request: {
          body: {
            required: true,
            content: {
              "multipart/form-data": fileForm,
            },
          },
        },
        responses: {
          200: {
            description: "The text and what is known about it.",
            content: { "application/json": { schema: ExtractedDocumentSchema } },
          },
          ...problemResponses,
        },
      },
    },
  ];
}

async function postExtract(server: ServerContext, c: RequestContext): Promise<Response> {
  checkOpenForWork(server);
  const { incoming } = c.env;
  const type = mediaType(incoming);
  if (type !== "multipart/form-data") {
    throw new BridleError("MEDIA_TYPE_UNSUPPORTED", {
      mediaType: type ?? "nothing",
      expected: "multipart/form-data",
    });
  }
  refuseContentEncoding(incoming);
  const file = onlyFile(await readBytes(server, c), incoming.headers["content-type"] ?? "");
  const { scope } = c.var;
  const read = await withTurn(server, scope, () =>
    server.service.reader.read(file.bytes, file, { signal: scope.signal }),
  );
  return Response.json({ ...read, fileName: file.fileName });
}

/** @throws MULTIPART_INVALID, FILE_MISSING, TOO_MANY_FILES */
function onlyFile(body: Buffer, contentType: string): FormPart & { readonly fileName: string } {
  const form = parseForm(body, contentType);
  if ("refusal" in form) throw new BridleError("MULTIPART_INVALID", { reason: form.refusal });
  if (form.cut) {
    throw new BridleError("MULTIPART_INVALID", { reason: "it ends before its last boundary." });
  }
  const files = form.parts.filter((part) => part.fileName !== undefined);
  if (files.length > 1) throw new BridleError("TOO_MANY_FILES", { count: files.length });
  const [file] = files;
  if (file?.fileName === undefined || file.name !== field) {
    throw new BridleError("FILE_MISSING", { field });
  }
  if (file.fileName === "" && file.bytes.length === 0)
    throw new BridleError("FILE_MISSING", { field });
  return { ...file, fileName: file.fileName };
}
