"""Texts from all over Unicode as transformers' T5 tokenizer of a folder takes them, one JSON object a line.

Usage: python t5_strings.py FOLDER COUNT SEED
"""
import json
import random
import sys

folder_of_this = sys.path.pop(0)
from transformers import AutoTokenizer

sys.path.append(folder_of_this)
import corpus

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
draw = random.Random(f"t5 strings {sys.argv[3]}")
words = corpus.make_words(draw, 2000)
marks = corpus.MARKS + ["<extra_id_0>", "<extra_id_31>", "<extra_id_99>", "<extra_id_100>", "\u2581\u2581a", " \u2581 ",
                        "\u1100\u1161\u11a8", "\u0e33", "\ud55c\uae00", "\U0001f469\u200d\U0001f4bb", "\u0915\u094d\u0937"]


def text():
    parts = []
    for _ in range(draw.randint(1, 12)):
        kind = draw.random()
        if kind < 0.35:
            parts.append(corpus.sentence(draw, words))
        elif kind < 0.6:
            parts.append(draw.choice(marks))
        else:
            parts.append("".join(corpus.character(draw) for _ in range(draw.randint(1, 8))))
    return draw.choice(["", " "]).join(parts)


size = len(tokenizer)
for _ in range(int(sys.argv[2])):
    one, other = text(), text()
    ids = tokenizer(one)["input_ids"]
    drawn = [draw.randrange(size) for _ in range(draw.randint(0, 12))]
    print(json.dumps({
        "text": one, "pair": other, "ids": ids, "pairIds": tokenizer(one, other)["input_ids"], "drawn": drawn,
        "decoded": [tokenizer.decode(x, skip_special_tokens=skip) for x in (ids, drawn) for skip in (True, False)],
    }))
