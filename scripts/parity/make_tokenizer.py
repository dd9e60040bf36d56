"""Records what transformers 4's Pegasus tokenizers make of texts, beside a folder that make_model.py has written.

Usage: python make_tokenizer.py FOLDER SEED

FOLDER/pegasus-tiny gets the tokenizer's files, FOLDER/tokenizer the four files of the golden suite. Needs
transformers 4.57.6, sentencepiece and tokenizers.
"""
import json
import os
import random
import sys
from importlib.metadata import version

folder_of_this = sys.path.pop(0)
import transformers
from transformers import PegasusTokenizer, PegasusTokenizerFast

sys.path.append(folder_of_this)
import corpus

transformers.logging.set_verbosity_error()
root, seed = sys.argv[1], int(sys.argv[2])
draw = random.Random(f"tokenizer {seed}")
model = os.path.join(root, "pegasus-tiny")
slow = PegasusTokenizer(os.path.join(model, "spiece.model"), model_max_length=64)
slow.save_pretrained(model)
slow = PegasusTokenizer.from_pretrained(model)
fast = PegasusTokenizerFast.from_pretrained(model)
fast.backend_tokenizer.save(os.path.join(model, "tokenizer.json"))
processor = slow.sp_model
words = corpus.make_words(random.Random(seed), 1500)
pieces = [processor.id_to_piece(i).replace("\u2581", " ") for i in range(3, processor.get_piece_size())]
MODES = {"skip+clean": (True, True), "skip": (True, False), "keep+clean": (False, True), "keep": (False, False)}


def decode_all(tokenizer, ids):
    return [tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean)
            for skip, clean in MODES.values()]


def with_differing(own, other):
    """The slow tokenizer's record, and the fast one's values where they differ."""
    differing = {key: other[key] for key in other if other[key] != own[key]}
    return {**own, "fast4": differing} if differing else own


def write(name, content):
    os.makedirs(os.path.join(root, "tokenizer"), exist_ok=True)
    with open(os.path.join(root, "tokenizer", name), "w") as out:
        json.dump(content, out)


def make_text(i):
    if i < len(corpus.MARKS):
        return corpus.MARKS[i]
    kind = draw.random()
    if kind < 0.4:
        return corpus.fuzzed(draw, pieces)
    if kind < 0.7:
        return corpus.document(draw, words, draw.randint(1, 3))
    text = list(corpus.sentence(draw, words))
    for _ in range(draw.randint(1, 4)):
        text.insert(draw.randint(0, len(text)), draw.choice(corpus.MARKS))
    return "".join(text)


def string_row(text):
    def of(tokenizer):
        ids = tokenizer(text).input_ids
        return {"ids": ids, "tokens": tokenizer.convert_ids_to_tokens(ids)}

    own = of(slow)
    row = with_differing(own, of(fast))
    return {"text": text, **row, "decode": decode_all(slow, own["ids"]), "normalized": processor.normalize(text),
            "spm_pieces": processor.encode(text, out_type=str), "spm_ids": processor.encode(text),
            "default_decode": slow.decode(own["ids"])}


rows = [string_row(make_text(i)) for i in range(500)]
special = {f"{name}_token": getattr(slow, f"{name}_token_id") for name in ("pad", "eos", "unk", "mask")}
write("strings.json", {
    "versions": {"slow": {name: version(name) for name in ("transformers", "tokenizers", "sentencepiece")}},
    "len": {"slow": len(slow)}, "special": {"slow": special}, "model_max_length": {"slow": slow.model_max_length},
    "all_special_ids": {"slow": sorted(slow.all_special_ids)}, "vocab_head": slow.convert_ids_to_tokens(list(range(130))),
    "decode_order": list(MODES), "rows": rows})

KWARGS = [
    {"padding": True}, {"padding": "longest", "truncation": True, "max_length": 12},
    {"padding": "max_length", "truncation": True, "max_length": 16},
    {"padding": "max_length", "truncation": True, "max_length": 1}, {"padding": True, "pad_to_multiple_of": 8},
    {"truncation": True, "max_length": 5}, {"truncation": True}, {"padding": "max_length", "truncation": True},
    {"add_special_tokens": False}, {"add_special_tokens": False, "truncation": True, "max_length": 4, "padding": True},
    {"padding": "max_length", "max_length": 20}, {"truncation": "do_not_truncate", "padding": True},
    {"truncation": True, "max_length": 16, "padding": "longest", "pad_to_multiple_of": 8},
    {"truncation": "longest_first", "max_length": 7}, {"truncation": "only_first", "max_length": 7, "padding": True},
    {"padding": "do_not_pad"}, {"truncation": True, "max_length": 2},
    {"padding": "max_length", "max_length": 18, "pad_to_multiple_of": 4}, {"truncation": False, "max_length": 3},
    {"add_special_tokens": False, "padding": True, "pad_to_multiple_of": 5}, {"padding": False, "truncation": False},
]
variants = []
for kwargs in KWARGS * 4:
    texts = draw.sample(range(len(rows)), 5)
    chosen = [rows[i]["text"] for i in texts]
    own = {name: dict(tokenizer(chosen, **kwargs)) for name, tokenizer in (("slow", slow), ("fast4", fast))}
    own = {name: {key: value[key] for key in ("input_ids", "attention_mask")} for name, value in own.items()}
    variants.append({"texts": texts, "kwargs": kwargs, "slow": own["slow"],
                     **({"fast4": own["fast4"]} if own["fast4"] != own["slow"] else {})})
write("variants.json", {"variants": variants})

lists = [[], [1], [0, 0, 0], [105], [105, 105, 1]]
for _ in range(200):
    ids = [draw.randrange(103, len(slow)) for _ in range(draw.randint(1, 20))]
    for _ in range(draw.randint(0, 4)):
        ids.insert(draw.randint(0, len(ids)), draw.choice([0, 1, 2, 3, 4, 50, 102, 103, 104, 105, 106]))
    lists.append(ids)
write("decode.json", {"decode_order": list(MODES), "cases": [{"ids": ids, "decode": decode_all(slow, ids)} for ids in lists]})

documents = [corpus.document(draw, words, draw.randint(20, 120)) for _ in range(8)]
write("documents.json", {"cases": [{"text": text, "ids": slow(text).input_ids} for text in documents]})
print(f"tokenizer: {len(rows)} strings, {len(variants)} variants, {len(lists)} decodes, {len(documents)} documents")
