// Which ids a family's reserved pieces have, and the files that tell transformers about them.
import { bytePiece, pieceTypes } from "../sentencepiece-model.js";

export const layoutNames = ["pegasus", "t5"] as const;
export type LayoutName = (typeof layoutNames)[number];

/** A piece that is not learned; its place in the list is its id. */
export interface ReservedPiece {
  readonly piece: string;
  readonly type: number;
}

export interface Layout {
  /** User-defined pieces that the family has of its own. */
  readonly userDefined: readonly string[];
  /** Ids the family's tokenizer adds to SentencePiece's: below them for Pegasus, after them for T5. */
  readonly addedIds: number;
  /** The JSON files that go with spiece.model, by name. */
  files(modelMaxLength: number | undefined): ReadonlyMap<string, unknown>;
}

/** Ids of the first three pieces, the same for every family. */
export const padId = 0;
export const eosId = 1;
export const unkId = 2;

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** A special token as transformers describes one. */
function token(content: string) {
  return {
    content,
    lstrip: false,
    normalized: false,
    rstrip: false,
    single_word: false,
    special: true,
  };
}

function pegasusFiles(modelMaxLength: number | undefined): ReadonlyMap<string, unknown> {
  const offset = 103;
  const unused = range(2, offset - 1).map((i) => `<unk_${i}>`);
  const names = ["<pad>", "</s>", "<mask_1>", "<mask_2>", ...unused];
  const decoder: Record<string, unknown> = {};
  for (const [id, name] of names.entries()) decoder[id] = token(name);
  decoder[offset + unkId] = token("<unk>");
  const additional = ["<mask_1>", ...unused];
  return new Map<string, unknown>([
    [
      "tokenizer_config.json",
      {
        added_tokens_decoder: decoder,
        additional_special_tokens: additional,
        clean_up_tokenization_spaces: false,
        eos_token: "</s>",
        extra_special_tokens: {},
        mask_token: "<mask_2>",
        mask_token_sent: "<mask_1>",
        ...(modelMaxLength === undefined ? {} : { model_max_length: modelMaxLength }),
        offset,
        pad_token: "<pad>",
        sp_model_kwargs: {},
        tokenizer_class: "PegasusTokenizer",
        unk_token: "<unk>",
      },
    ],
    [
      "special_tokens_map.json",
      {
        additional_special_tokens: additional,
        eos_token: "</s>",
        mask_token: "<mask_2>",
        pad_token: "<pad>",
        unk_token: "<unk>",
      },
    ],
  ]);
}

function t5Files(modelMaxLength: number | undefined): ReadonlyMap<string, unknown> {
  const extraIds = 100;
  const additional = range(0, extraIds - 1).map((i) => `<extra_id_${i}>`);
  return new Map<string, unknown>([
    [
      "tokenizer_config.json",
      {
        additional_special_tokens: additional,
        clean_up_tokenization_spaces: false,
        eos_token: "</s>",
        extra_ids: extraIds,
        legacy: false,
        ...(modelMaxLength === undefined ? {} : { model_max_length: modelMaxLength }),
        pad_token: "<pad>",
        sp_model_kwargs: {},
        tokenizer_class: "T5Tokenizer",
        unk_token: "<unk>",
      },
    ],
    [
      "special_tokens_map.json",
      {
        additional_special_tokens: additional,
        eos_token: "</s>",
        pad_token: "<pad>",
        unk_token: "<unk>",
      },
    ],
  ]);
}

/** The families a tokenizer can be made for; all have `<pad>`, `</s>` and `<unk>` as ids 0, 1 and 2, and no `<s>`. */
export const layouts: Readonly<Record<LayoutName, Layout>> = {
  pegasus: { userDefined: ["<n>"], addedIds: 103, files: pegasusFiles },
  t5: { userDefined: [], addedIds: 100, files: t5Files },
};

/** The reserved pieces of a layout, by id; with `bytes` one for each byte. */
export function reservedPieces(
  userDefined: readonly string[],
  bytes: boolean,
): readonly ReservedPiece[] {
  return [
    { piece: "<pad>", type: pieceTypes.control },
    { piece: "</s>", type: pieceTypes.control },
    { piece: "<unk>", type: pieceTypes.unknown },
    ...userDefined.map((piece) => ({ piece, type: pieceTypes.userDefined })),
    ...range(0, bytes ? 255 : -1).map((byte) => ({
      piece: bytePiece(byte),
      type: pieceTypes.byte,
    })),
  ];
}
