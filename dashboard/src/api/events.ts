// Reads server-sent events out of an answer's body, as the WHATWG HTML standard has them; comments are passed over.

export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/** The events of a stream, each as soon as its blank line has come. What ends without one is no event. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let name = "message";
  let data: string[] = [];
  let ended = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      // A carriage return at the very end may be the first half of a line's end.
      const lines = rest.split(done ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { name, data: data.join("\n") };
          name = "message";
          data = [];
          continue;
        }
        const [, field, content = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
        if (field === "event") name = content;
        else if (field === "data") data.push(content);
      }
      ended = done;
      if (ended) return;
    }
  } finally {
    // Whoever stops listening lets the server know.
    if (!ended) await reader.cancel().catch(() => {});
  }
}
