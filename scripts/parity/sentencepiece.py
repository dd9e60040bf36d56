# Draws random Unicode strings and prints, a JSON line each, what the real sentencepiece makes of them.
# Usage: python sentencepiece.py MODEL COUNT SEED
import json
import random
import sys

# This file's own name must not stand before the library's.
sys.path.pop(0)
import sentencepiece

model, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
processor = sentencepiece.SentencePieceProcessor(model_file=model)
draw = random.Random(seed)
words = [processor.id_to_piece(i).replace("\u2581", " ") for i in range(3, processor.get_piece_size())]
ranges = [(0x20, 0x7E), (0x00, 0x1F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF),
          (0xE00, 0xEFF), (0x1100, 0x11FF), (0x1E00, 0x206F), (0x2070, 0x2BFF), (0x3000, 0x33FF), (0x4E00, 0x9FFF),
          (0xAC00, 0xD7A3), (0xF900, 0xFFEF), (0x10000, 0x1FFFF), (0x20000, 0x2FFFF), (0xE0000, 0x10FFFF)]


def character():
    first, last = draw.choice(ranges)
    return chr(draw.randint(first, last))


for _ in range(count):
    parts = []
    for _ in range(draw.randint(0, 12)):
        kind = draw.random()
        if kind < 0.45:
            parts.append(draw.choice(words))
        elif kind < 0.85:
            parts.append("".join(character() for _ in range(draw.randint(1, 6))))
        else:
            parts.append(draw.choice([" ", "  ", "\n", "\t", "<n>", "<unk>", "</s>", "\u2581", "\u3000", "\u200d", "\ufeff"]))
    text = "".join(parts)
    ids = processor.encode(text)
    print(json.dumps({
        "text": text,
        "normalized": processor.normalize(text),
        "pieces": processor.encode(text, out_type=str),
        "ids": ids,
        "decoded": processor.decode(ids),
    }))
