// Server-sent events as tests read them: one after another as they come, or the first that fits.

export interface StreamedEvent {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: every stream tells something of its own, which the tests look at
  readonly data: any;
}

/** Events as they come, a chunk at a time. */
export async function* streamedEvents(
  url: string,
  init: RequestInit,
): AsyncGenerator<StreamedEvent> {
  const response = await fetch(url, init);
  if (response.headers.get("content-type") !== "text/event-stream")
    throw new Error(`${response.status} ${await response.text()}`);
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString("utf8");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (name !== undefined) yield { name, data: JSON.parse(data as string) };
    }
  }
}

/** What comes first of those that fit. */
export async function nextEvent(
  events: AsyncIterator<StreamedEvent>,
  fits: (event: StreamedEvent) => boolean = () => true,
): Promise<StreamedEvent> {
  for (;;) {
    const { done, value } = await events.next();
    if (done) throw new Error("The stream ended.");
    if (fits(value)) return value;
  }
}
