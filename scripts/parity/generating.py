"""What the scripts that record generation share: random options of generate(), and noise in place of rounding."""
import torch
from transformers.generation import logits_process as lp

NOISE = 2e-4


def padded(rows, filler):
    longest = max(len(row) for row in rows)
    return [row + [filler] * (longest - len(row)) for row in rows]


def draw_config(draw, often):
    """Random options of generate(), several at once; `often` are tokens this model likes to write."""
    beams = draw.choice([1, 1, 2, 3, 4, 5, 8])
    config = {"num_beams": beams}
    if draw.random() < 0.15:
        config["max_new_tokens"] = draw.choice([1, 2, 5, 12, 20])
    else:
        config["max_length"] = draw.choice([2, 3, 8, 16, 24, 40])
    most = config.get("max_length", config.get("max_new_tokens", 0) + 1)

    def maybe(chance, name, value):
        if draw.random() < chance:
            config[name] = value()

    maybe(0.12, "min_length", lambda: draw.randint(1, most))
    maybe(0.12, "min_new_tokens", lambda: draw.randint(1, most - 1))
    maybe(0.15, "no_repeat_ngram_size", lambda: draw.choice([1, 2, 3]))
    maybe(0.15, "repetition_penalty", lambda: draw.choice([0.7, 0.9, 1.2, 1.8]))
    maybe(0.1, "encoder_repetition_penalty", lambda: draw.choice([0.8, 1.3]))
    maybe(0.1, "encoder_no_repeat_ngram_size", lambda: draw.choice([1, 2, 3]))
    maybe(0.1, "bad_words_ids", lambda: [[t] for t in draw.sample(often, 3)] + [draw.sample(often, 2)])
    maybe(0.1, "sequence_bias", lambda: [[[t], draw.choice([-4.0, 2.0])] for t in draw.sample(often, 2)]
          + [[draw.sample(often, 2), 3.0]])
    maybe(0.1, "suppress_tokens", lambda: draw.sample(often, 4))
    maybe(0.1, "begin_suppress_tokens", lambda: draw.sample(often, 4))
    maybe(0.1, "exponential_decay_length_penalty", lambda: [draw.randint(0, 8), draw.choice([1.02, 1.2, 1.6])])
    maybe(0.1, "forced_bos_token_id", lambda: draw.choice(often))
    maybe(0.15, "forced_eos_token_id", lambda: draw.choice([None, 1, draw.choice(often)]))
    maybe(0.08, "renormalize_logits", lambda: True)
    maybe(0.08, "remove_invalid_values", lambda: True)
    maybe(0.08, "eos_token_id", lambda: [1, draw.choice(often)])
    maybe(0.05, "pad_token_id", lambda: draw.choice([1, draw.choice(often)]))
    maybe(0.05, "decoder_start_token_id", lambda: draw.choice(often))
    if beams > 1:
        maybe(0.7, "length_penalty", lambda: draw.choice([-1.0, 0.0, 0.6, 0.8, 1.0, 2.0]))
        maybe(0.6, "early_stopping", lambda: draw.choice([True, False, "never"]))
        maybe(0.4, "num_return_sequences", lambda: draw.randint(1, beams))
    return config


class Noise(lp.LogitsProcessor):
    """Stands in for another machine's rounding."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids, scores):
        return scores + NOISE * torch.randn(scores.shape, generator=self.generator, dtype=scores.dtype)
