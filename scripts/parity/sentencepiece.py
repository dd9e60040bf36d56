# Draws random Unicode strings and prints, a JSON line each, what the real sentencepiece makes of them.
# Usage: python sentencepiece.py MODEL COUNT SEED
import json
import random
import sys

# This file's own name must not stand before the library's.
folder_of_this = sys.path.pop(0)
import sentencepiece

sys.path.append(folder_of_this)
import corpus

model, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
processor = sentencepiece.SentencePieceProcessor(model_file=model)
draw = random.Random(seed)
size = processor.get_piece_size()
words = [processor.id_to_piece(i).replace("\u2581", " ") for i in range(3, size)]


def places(text):
    """Begin and end of each piece in the text, in UTF-16 units."""
    data = text.encode()

    def unit(at):
        return len(data[:at].decode().encode("utf-16-le")) // 2

    pieces = processor.encode(text, return_type="proto").pieces
    return [[unit(piece.begin), unit(piece.end)] for piece in pieces]


for _ in range(count):
    text = corpus.fuzzed(draw, words)
    ids = processor.encode(text)
    # Any order of pieces can come out of a model, bytes that are no text among them.
    drawn = [draw.randrange(size) for _ in range(draw.randint(0, 9))]
    print(json.dumps({
        "text": text,
        "normalized": processor.normalize(text),
        "pieces": processor.encode(text, out_type=str),
        "ids": ids,
        "places": places(text),
        "decoded": processor.decode(ids),
        "drawn": drawn,
        "decoded_drawn": processor.decode(drawn),
    }))
