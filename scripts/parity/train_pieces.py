"""Trains SentencePiece Unigram models of many settings with the real sentencepiece and prints a JSON line for each.

Usage: python train_pieces.py FOLDER SEED
"""
import json
import os
import random
import sys

folder_of_this = sys.path.pop(0)
import sentencepiece

sys.path.append(folder_of_this)
import corpus

root, seed = sys.argv[1], int(sys.argv[2])
draw = random.Random(f"pieces {seed}")
words = corpus.make_words(draw, 1500)
text = os.path.join(root, "corpus.txt")
with open(text, "w") as out:
    for _ in range(2500):
        out.write(corpus.sentence(draw, words) + "\n")
    for _ in range(300):
        line = "".join(corpus.character(draw) for _ in range(8))
        out.write("".join(" " if c in "\n\r\0" else c for c in line) + "\n")
rules = os.path.join(root, "rules.tsv")
with open(rules, "w") as out:
    # Replacements of characters, of sequences, by nothing, and by spaces.
    out.write("41\t62 62\n61 62\t78\n63 64 65\t\n66\t20\n20 20\t20\nE9\t65 20 301\n1F40E\t68 6F 72 73 65\n")

SETTINGS = {
    "nmt_nfkc": {},
    "nmt_nfkc_cf": {"normalization_rule_name": "nmt_nfkc_cf"},
    "nfkc": {"normalization_rule_name": "nfkc"},
    "nfkc_cf": {"normalization_rule_name": "nfkc_cf"},
    "identity": {"normalization_rule_name": "identity"},
    "own rules": {"normalization_rule_tsv": rules},
    "denormalized": {"denormalization_rule_tsv": rules},
    "byte_fallback": {"byte_fallback": True, "vocab_size": 1100},
    "byte_fallback identity": {"byte_fallback": True, "vocab_size": 1100, "normalization_rule_name": "identity",
                               "remove_extra_whitespaces": False},
    "user symbols": {"user_defined_symbols": ["<n>", "<sep>", "of the", "ab", "abc", "a", "\u00e9", "\u2581the"]},
    "byte_fallback user symbols": {"byte_fallback": True, "vocab_size": 1100, "user_defined_symbols": ["<n>", "xyz"]},
    "split_by_whitespace off": {"split_by_whitespace": False},
    "no dummy prefix": {"add_dummy_prefix": False},
    "extra whitespace kept": {"remove_extra_whitespaces": False},
    "neither": {"add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "whitespace suffix": {"treat_whitespace_as_suffix": True},
    "whitespace suffix kept": {"treat_whitespace_as_suffix": True, "remove_extra_whitespaces": False},
    "whitespace only pieces": {"allow_whitespace_only_pieces": True, "remove_extra_whitespaces": False},
    "control symbols": {"control_symbols": ["<ctl>", "<s>x"], "unk_surface": "??", "bos_id": 3, "pad_id": -1},
    "split digits": {"split_digits": True, "split_by_number": False, "split_by_unicode_script": False},
}
for name, own in SETTINGS.items():
    prefix = os.path.join(root, name.replace(" ", "-"))
    settings = {"vocab_size": 800, "character_coverage": 0.98, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1,
                "normalization_rule_name": "nmt_nfkc", **own}
    if "normalization_rule_tsv" in own:
        del settings["normalization_rule_name"]
    sentencepiece.SentencePieceTrainer.train(
        input=text, model_prefix=prefix, model_type="unigram", minloglevel=2, num_threads=2, seed_sentencepiece_size=20000,
        **settings)
    print(json.dumps({"name": name, "model": prefix + ".model"}), flush=True)
