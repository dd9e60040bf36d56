"""Records what rouge_score, nltk and numpy compute on texts written for Bridle, as test/golden/rouge-and-gsg.json.

Run once by hand, never by the tests:

    python3 -m venv .venv && .venv/bin/pip install rouge_score==0.1.2 nltk==3.10.4 numpy==2.4.6
    .venv/bin/python test/golden/record-rouge.py test/golden/rouge-and-gsg.json

The result holds three files as a folder of golden figures has them, with cases that tell the settings apart.
"""

import json
import random
import sys
from collections import Counter
from importlib.metadata import version

import nltk
import numpy as np
from nltk.stem.porter import PorterStemmer
from nltk.tokenize.punkt import PunktSentenceTokenizer
from rouge_score import rouge_scorer, scoring, tokenizers

TYPES = ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]
SAMPLES, SEED = 25, 20240611
rng = random.Random(7)
punkt = PunktSentenceTokenizer()
nltk.sent_tokenize = punkt.tokenize

WORDS = """
a an by the this his sky skies dying lying tying news inning innings outing outings canning cannings howe proceed
exceeded succeed flies dies ties died tied spied spies cried caresses ponies caress cats feed agreed plastered bled
motoring sing singing conflated troubled sized hopping tanned falling hissing fizzed failing filing happy enjoy
enjoyment spy fly try say relational conditional rational valency hesitancy digitizer conformably radically
differently vilely analogously vietnamization predication operator feudalism decisiveness hopefulness callousness
formality sensitivity sensibility hopefully geology theology archaeology philology triplicate formative formalize
electricity electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible
irritant replacement adjustment dependent adoption homologous communism activate angularity effective bowdlerize
probate rate cease controlling roll yellow syzygy yyyy yyyying eying used using us is ing ed eed need needed
abilities ability able ably generally generalizations oscillators rationally nationally occasionally 1990s 3rd x86
at ate ated iz ized bl bled ss sses ies s y ye yes eye eyes 2 42 ion nation onion vision actions ou sou oui
""".split()

SENTENCES = [
    "The council agreed on Tuesday to reopen the old bridge, which had been closed since the floods.",
    "Officials say the reopening will cost about 2.5 million, less than the closing did.",
    "Dr. J. Smith, who had studied the bridge's foundations, warned that they were failing!",
    "\"We are hopeful,\" said the mayor; \"nobody was hurt.\"",
    "Was it worth it? Opinions differ.",
    "Engineers relied on sensors, sensing and sensitivity studies made by a national laboratory.",
    "The floods of 1997 (the worst in 100 years) closed 14 bridges.",
    "Flooding closes bridges; bridges closing floods the news.",
    "Repairs begin in May, e.g. with the piers... and end, hopefully, by No. 12. then traffic returns.",
    "An agreement was reached. The agreeing parties were happy, happier than they had been.",
    "Nobody at the U.S. embassy commented. it is said, quietly, that none was asked.",
    "She ran, runs and will be running; he tried, tries and is trying.",
]
ODD = [
    "",
    " ",
    "\n",
    "...",
    "a",
    "İSTANBUL ıs BİG",
    "25 K and 300 Å",
    "ﬁne ＦＵＬＬ straße ΟΔΟΣ",
    "東京 は 日本 の 首都",
    "line one\n\nline two\n",
    "line two\nline one",
    "w1 w2 w3 w4 w5",
    "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5",
    "x_y-z don't 3.14",
]


def shuffled(text):
    words = text.split(" ")
    for _ in range(rng.randint(0, 4)):
        i, j = rng.randrange(len(words)), rng.randrange(len(words))
        words[i], words[j] = words[j], words[i]
    if rng.random() < 0.5:
        del words[rng.randrange(len(words))]
    return " ".join(words)


def article(n):
    return "".join(s + rng.choice([" ", " ", "\n"]) for s in rng.sample(SENTENCES, n)).strip()


def make_pairs():
    pairs = list(zip(ODD, ODD[1:] + ODD[:1])) + [(text, text) for text in ODD[5:9]]
    while len(pairs) < 36:
        target = article(rng.randint(1, 5))
        prediction = shuffled(target) if rng.random() < 0.6 else article(rng.randint(1, 4))
        pairs.append((target, prediction))
    return pairs


def listed(scores):
    return {name: list(score) for name, score in scores.items()}


def record_rouge():
    plain, stemmed = (tokenizers.DefaultTokenizer(stem).tokenize for stem in (False, True))
    pairs = make_pairs()
    scores, aggregate, rows = {}, {}, []
    for stem in (False, True):
        setting = f"stemmer={str(stem).lower()},split_summaries="
        scorer = rouge_scorer.RougeScorer(TYPES, use_stemmer=stem)
        results = [scorer.score(*pair) for pair in pairs]
        scores[setting + "false"] = [listed(result) for result in results]
        scorer = rouge_scorer.RougeScorer(["rougeLsum"], use_stemmer=stem, split_summaries=True)
        scores[setting + "true"] = [listed(scorer.score(*pair)) for pair in pairs]
        np.random.seed(SEED)
        rows, choice = [], np.random.choice

        def recorded(values, size):
            rows.append(choice(values, size=size))
            return rows[-1]

        np.random.choice = recorded
        aggregator = scoring.BootstrapAggregator(n_samples=SAMPLES)
        for result in results:
            aggregator.add_scores({name: result[name] for name in ("rouge1", "rougeLsum")})
        aggregated = aggregator.aggregate()
        np.random.choice = choice
        aggregate[setting + "false"] = {
            "n_samples": SAMPLES,
            "confidence_interval": 0.95,
            "numpy_seed": SEED,
            "result": {name: listed(value._asdict()) for name, value in aggregated.items()},
            "mean": {
                name: np.mean([result[name] for result in results], axis=0).tolist()
                for name in TYPES
            },
        }
    scorer = rouge_scorer.RougeScorer(TYPES)
    texts = [text for pair in pairs for text in pair]
    multi = []
    for _ in range(6):
        targets, prediction = rng.sample(texts, rng.randint(1, 4)), rng.choice(texts)
        result = listed(scorer.score_multi(targets, prediction))
        multi.append({"targets": targets, "prediction": prediction, "scores": result})
    return {
        "versions": {name: version(name) for name in ("rouge_score", "nltk", "numpy")},
        "triple": "[precision, recall, fmeasure]",
        "pairs": [
            {
                "target": target,
                "prediction": prediction,
                "tokens": [plain(target), plain(prediction)],
                "tokens_stem": [stemmed(target), stemmed(prediction)],
            }
            for target, prediction in pairs
        ],
        "scores": scores,
        "aggregate": aggregate,
        "bootstrap_indices": {
            "note": "first all resamples for rouge1, then all for rougeLsum; the same in both settings",
            "rows": [[int(index) for index in row] for row in rows],
        },
        "multi": multi,
        "sentence_split": [
            {"text": target, "sentences": punkt.tokenize(target)} for target, _ in pairs[::2]
        ],
    }


def record_porter():
    stemmer = PorterStemmer()
    return {
        "versions": {"nltk": version("nltk")},
        "note": "mode NLTK_EXTENSIONS",
        "words": [[word, stemmer.stem(word)] for word in WORDS],
    }


def fmeasure(chosen, rest, unique):
    if unique:
        chosen, rest = set(chosen), set(rest)
    chosen, rest = Counter(chosen), Counter(rest)
    shared = sum((chosen & rest).values())
    return scoring.fmeasure(
        shared / max(sum(chosen.values()), 1), shared / max(sum(rest.values()), 1)
    )


def score_set(tokens, members, unique):
    inside = [token for i, sentence in enumerate(tokens) if i in members for token in sentence]
    outside = [token for i, sentence in enumerate(tokens) if i not in members for token in sentence]
    return fmeasure(inside, outside, unique)


def choose_sequentially(tokens, m, unique):
    order, scores = [], []
    for _ in range(m):
        remaining = [i for i in range(len(tokens)) if i not in order]
        best = max(remaining, key=lambda i: (score_set(tokens, {*order, i}, unique), -i))
        order.append(best)
        scores.append(score_set(tokens, set(order), unique))
    return order, scores


def record_gap_sentences():
    tokenize = tokenizers.DefaultTokenizer(False).tokenize
    documents = []
    for n in (1, 2, 3, 6, 10, 12):
        sentences = rng.sample(SENTENCES, n)
        if n > 5:
            sentences[rng.randrange(n)] = rng.choice(["!!! ...", sentences[0], "The the THE."])
        tokens = [tokenize(sentence) for sentence in sentences]
        own = [[score_set(tokens, {i}, unique) for i in range(n)] for unique in (False, True)]
        selections = []
        for ratio in (0.15, 0.25, 0.45):
            m = min(n, max(1, round(n * ratio)))
            selection = {"ratio": ratio, "m": m, "lead": list(range(m))}
            for name, unique in (("orig", False), ("uniq", True)):
                best = sorted(range(n), key=lambda i: (-own[unique][i], i))[:m]
                order, scores = choose_sequentially(tokens, m, unique)
                selection[f"ind_{name}"] = sorted(best)
                selection[f"seq_{name}"] = order
                selection[f"seq_{name}_scores"] = [list(pair) for pair in zip(order, scores)]
            selections.append(selection)
        masked = selections[1]["ind_orig"]
        documents.append({
            "sentences": sentences,
            "selections": selections,
            "ind_orig_scores": own[0],
            "ind_uniq_scores": own[1],
            "example": {
                "m_of_ratio": 0.25,
                "strategy": "ind_orig",
                "input": " ".join("<mask_1>" if i in masked else s for i, s in enumerate(sentences)),
                "target": " ".join(sentences[i] for i in masked),
            },
        })
    return {
        "versions": {"rouge_score": version("rouge_score")},
        "rules": {"written": "from the paper's definition (Zhang et al. 2020, section 3.1)"},
        "documents": documents,
    }


def record_all():
    return {
        "rouge/rouge.json": record_rouge(),
        "rouge/porter.json": record_porter(),
        "gsg/gsg.json": record_gap_sentences(),
    }


if __name__ == "__main__":
    with open(sys.argv[1], "w") as out:
        provenance = "made by test/golden/record-rouge.py with the versions named in each file"
        lines = (f"{json.dumps(name)}: {json.dumps(content)}" for name, content in record_all().items())
        out.write(f'{{"provenance": {json.dumps(provenance)},\n"files": {{\n' + ",\n".join(lines) + "\n}}\n")
