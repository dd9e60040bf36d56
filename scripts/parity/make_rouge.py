"""Records rouge_score, nltk and numpy on random texts, in the form of the golden suites `rouge` and `gsg`.

Usage: python make_rouge.py FOLDER SEED

What is recorded and how is test/golden/record-rouge.py's; only the texts are others. Needs rouge_score, nltk and numpy.
"""
import importlib.util
import json
import os
import random
import sys

folder_of_this = sys.path.pop(0)
sys.path.append(folder_of_this)
import corpus

root, seed = sys.argv[1], int(sys.argv[2])
path = os.path.join(folder_of_this, "../../test/golden/record-rouge.py")
spec = importlib.util.spec_from_file_location("record_rouge", path)
record = importlib.util.module_from_spec(spec)
spec.loader.exec_module(record)

draw = random.Random(f"rouge {seed}")
words = corpus.make_words(draw, 400)
endings = "s es ed ing ly ness ation ational ies ied ement ization fulness ousli ability y".split()
record.rng = random.Random(seed)
record.SEED = seed + 100
record.WORDS = sorted({word.lower() for word in words} | {draw.choice(words) + draw.choice(endings) for _ in range(3000)})
record.SENTENCES = [corpus.sentence(draw, words) for _ in range(60)]
record.ODD = [*record.ODD, *(corpus.fuzzed(draw, words) for _ in range(40))]
for name, content in record.record_all().items():
    file = os.path.join(root, name)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "w") as out:
        json.dump(content, out)
print(f"rouge: {len(record.ODD)} odd texts, {len(record.WORDS)} words")
