"""Seeded texts for the parity scripts: prose of made-up words, and strings from all over Unicode."""

COMMON = (
    "the a of and to in was for on with that said from by at it is as be has had were will new year people city old "
    "government company police council school market river bridge harbour winter station report minister union first "
    "last million percent because after before between against under during without its their more than only other "
    "don't couldn't we're he's it'll"
).split()
SYLLABLES = [c + v for c in "b ch d f g h k l m n p r s st t tr v w z".split() for v in "a e i o u ai ea".split()]
ENDINGS = ["n", "r", "s", "ng", "ted", "ly", "tion", "", "", "ment"]
RANGES = [
    (0x20, 0x7E), (0x00, 0x1F), (0x80, 0x9F), (0xA0, 0x24F), (0x250, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF),
    (0x900, 0xDFF), (0xE00, 0xEFF), (0x1100, 0x11FF), (0x1E00, 0x206F), (0x2070, 0x2BFF), (0x3000, 0x33FF),
    (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x10000, 0x1FFFF),
    (0x20000, 0x2FFFF), (0xE0000, 0x10FFFF),
]
MARKS = [
    " ", "  ", "\n", "\t", "\r\n", "<n>", "<unk>", "<pad>", "</s>", "<s>", "<mask_1>", "<mask_2>", "<unk_2>", "<unk_103>",
    "\u2581", "\u3000", "\u200d", "\ufeff", "\u00a0", "\u2028", "\u0085", " .", " ,", " '", " n't", " 's", "``", "\u00ad",
    "e\u0301", "\u1e9b\u0323", "\ufb01", "\u01c4", "\u2126", "\u3392", "<0x41>", "<0xE2>",
]


def make_words(draw, count):
    """Common words first, then made-up ones."""
    made = {"".join(draw.choice(SYLLABLES) for _ in range(draw.randint(1, 3))) + draw.choice(ENDINGS) for _ in range(count)}
    return COMMON + sorted(made)


def sentence(draw, words):
    chosen = []
    for _ in range(draw.randint(1, 16)):
        # Squared, so that few words are frequent and many are rare.
        word = words[int(len(words) * draw.random() ** 2)]
        if draw.random() < 0.04:
            word = str(draw.randint(0, 99999))
        if draw.random() < 0.08:
            word = word.capitalize()
        chosen.append(word + ("," if draw.random() < 0.06 else ""))
    text = " ".join(chosen)
    return text[:1].upper() + text[1:] + draw.choice([".", ".", ".", "!", "?", " ."])


def document(draw, words, sentences):
    return draw.choice([" ", "  ", "\n"]).join(sentence(draw, words) for _ in range(sentences))


def character(draw):
    first, last = draw.choice(RANGES)
    return chr(draw.randint(first, last))


def fuzzed(draw, pieces):
    """A string of pieces, marks and characters from anywhere; no lone surrogates."""
    parts = []
    for _ in range(draw.randint(0, 12)):
        kind = draw.random()
        if kind < 0.45:
            parts.append(draw.choice(pieces))
        elif kind < 0.8:
            parts.append("".join(character(draw) for _ in range(draw.randint(1, 6))))
        else:
            parts.append(draw.choice(MARKS))
    return "".join(parts)
