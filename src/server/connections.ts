// Which answers are under way on which connection: one that waits behind another is told nothing by Node when their connection ends.
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

export interface Connections {
  /** How many have answers under way. */
  readonly size: number;
  /** Takes an answer up, until it closes: at the latest with its connection. */
  add(socket: Duplex, outgoing: ServerResponse): void;
  /** The answer that is being sent on a connection or will be next, of those under way. */
  current(socket: Duplex): ServerResponse | undefined;
}

export function trackConnections(): Connections {
  /** In the order of their requests, which is that of their answers. */
  const underWay = new Map<Duplex, Set<ServerResponse>>();

  function begin(socket: Duplex): Set<ServerResponse> {
    const answers = new Set<ServerResponse>();
    underWay.set(socket, answers);
    socket.once("close", () => {
      underWay.delete(socket);
      for (const outgoing of answers) {
        // Node closes the one that is being sent; the others have no connection yet and would wait for one for ever.
        if (outgoing.closed || outgoing.socket !== null) continue;
        outgoing.destroy();
        outgoing.emit("close");
      }
    });
    return answers;
  }

  return {
    get size() {
      return [...underWay.values()].filter((answers) => answers.size > 0).length;
    },
    add(socket, outgoing) {
      const answers = underWay.get(socket) ?? begin(socket);
      answers.add(outgoing);
      outgoing.once("close", () => answers.delete(outgoing));
    },
    current(socket) {
      const [first] = underWay.get(socket) ?? [];
      return first;
    },
  };
}
