// Tokens that stand in a text as they are, such as `<mask>`: found before a vocabulary sees the rest.
import { PieceTrie } from "./piece-trie.js";

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Takes the white space on its left or right with it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly special: boolean;
}

/** Those that a model with so many rows has. */
export function tokensWithin(added: readonly AddedToken[], rows: number): AddedToken[] {
  return added.filter(({ id }) => id < rows);
}

/** A run of text, or an added token, and the place where it starts. */
export interface TextPart {
  readonly part: string;
  readonly token: AddedToken | undefined;
  readonly start: number;
}

/**
 * A function that cuts a text into runs and the added tokens between them, in turn; of several tokens that begin at a
 * place the longest is taken.
 * @param isSpace whether a UTF-16 unit is what tokens may take with them on their sides
 */
export function createSplitter(
  tokens: readonly AddedToken[],
  isSpace: (unit: number) => boolean,
): (text: string) => TextPart[] {
  const trie = new PieceTrie(tokens.map(({ content }) => ({ piece: content })));

  function split(text: string): TextPart[] {
    const parts: TextPart[] = [];
    let from = 0;
    let before: AddedToken | undefined;
    const addText = (to: number, next: AddedToken | undefined) => {
      let [start, end] = [from, to];
      if (before?.rstrip) while (start < end && isSpace(text.charCodeAt(start))) start++;
      if (next?.lstrip) while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
      if (start < end) parts.push({ part: text.slice(start, end), token: undefined, start });
    };
    for (let at = 0; at < text.length; ) {
      const token = longestAt(text, at);
      if (token === undefined) {
        at += 1;
        continue;
      }
      addText(at, token);
      parts.push({ part: token.content, token, start: at });
      at += token.content.length;
      from = at;
      before = token;
    }
    addText(text.length, undefined);
    return parts;
  }

  /** The longest added token that begins at a place. */
  function longestAt(text: string, start: number): AddedToken | undefined {
    let found: AddedToken | undefined;
    let node = PieceTrie.root;
    for (let at = start; at < text.length; at++) {
      node = trie.child(node, text.charCodeAt(at));
      if (node < 0) break;
      if (trie.idAt(node) >= 0) found = tokens[trie.idAt(node)];
    }
    return found;
  }

  return split;
}
