"""Records what sentencepiece learns from texts made here, as test/golden/tokenizer-training.json.

Run once by hand, never by the tests:

    python3 -m venv .venv && .venv/bin/pip install sentencepiece==0.2.3 protobuf
    .venv/bin/python test/golden/record-tokenizer-training.py test/golden/tokenizer-training.json

The texts hold blank lines, reserved pieces, rare characters, repeated and rare words; no two cases share their options.
"""

import io
import json
import random
import sys
from importlib.metadata import version

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

rng = random.Random(20240611)
SYLLABLES = "ka ke ki ra re ri to tu shi har bour ferry mar ket win ter re pair ing ed un able ness tion al ly s er".split()
WORDS = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(260)]
OTHERS = ["Österreich", "cafe\u0301", "naïve", "ＡＢＣ", "①②", "harbour,", "(ferry)", "3.14", "2024", "12:30", "x<n>y", "<n>",
          "</s>", "日本の港", "港町", "ひらがなと", "カタカナ", "渡し船の時刻", "مرفأ", "гавань", "гавани", "λιμάνι", "हार्बर", "👩\u200d🚀",
          "a\u00a0b", "zero\u200bwidth", "\u2581", "▅", "ﬁnal", "fullwidth～", "Ǆ", "ſtop", "İstanbul", "ΣΊΣΥΦΟΣ", "ꭰᏰ"]


def sentences(others, count):
    made = []
    for _ in range(count):
        words = []
        for _ in range(rng.randint(1, 9)):
            pool = OTHERS if rng.random() < others else WORDS
            words.append(pool[int(len(pool) * rng.random() ** 2)])
        made.append(" ".join(words))
        if rng.random() < 0.02:
            made.append(rng.choice(["", "  ", "\u3000", "\u200b"]))
    return made


CASES = [
    ("words alone", sentences(0, 300), {"vocab_size": 120}),
    ("many scripts", sentences(0.3, 300), {"vocab_size": 260}),
    ("few characters", sentences(0.3, 300), {"vocab_size": 200, "character_coverage": 0.98}),
    ("folded", sentences(0.3, 300), {"vocab_size": 260, "normalization_rule_name": "nmt_nfkc_cf", "split_digits": True}),
    ("plain", sentences(0.3, 300), {"vocab_size": 230, "normalization_rule_name": "identity", "character_coverage": 1.0,
                                    "max_sentencepiece_length": 5}),
    ("small steps", sentences(0.2, 300), {"vocab_size": 220, "shrinking_factor": 0.9, "num_sub_iterations": 1,
                                          "seed_sentencepiece_size": 700, "split_by_unicode_script": False,
                                          "split_by_number": False}),
]

cases = []
for name, text, options in CASES:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=out, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        user_defined_symbols=["<n>"], minloglevel=2, **options)
    model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    cases.append({"name": name, "text": text, "options": options,
                  "pieces": [[p.piece, p.score, p.type] for p in model.pieces]})
with open(sys.argv[1], "w") as file:
    json.dump({"sentencepiece": version("sentencepiece"), "cases": cases}, file, ensure_ascii=True, indent=None,
              separators=(",", ":"))
    file.write("\n")
