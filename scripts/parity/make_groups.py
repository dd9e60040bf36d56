"""Records diverse beam search, which transformers 4 still has, on the model that make_model.py has written.

Usage: python make_groups.py FOLDER SEED [COUNT]

FOLDER/generate gets pegasus-tiny-groups.json. Needs torch and transformers 4.55.4.
"""
import copy
import json
import os
import random
import sys
from importlib.metadata import version

sys.path.pop(0)
import torch
import transformers
from safetensors.torch import load_file
from transformers import GenerationConfig, LogitsProcessor, PegasusForConditionalGeneration

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
root, seed, count = sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] + ["40"])[0])
draw = random.Random(f"groups {seed}")
folder = os.path.join(root, "pegasus-tiny")
model = PegasusForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()


def read_state():
    files = [os.path.join(folder, name) for name in os.listdir(folder)]
    read = {".safetensors": load_file, ".bin": torch.load}
    states = [read[extension](file) for file in files if (extension := os.path.splitext(file)[1]) in read]
    return {name: tensor for state in states for name, tensor in state.items()}


if not model.config.tie_word_embeddings:
    # transformers 4 has one table for both halves; 5, which Bridle follows, has what the checkpoint has.
    state = read_state()
    for half, part in (("encoder", model.model.encoder), ("decoder", model.model.decoder)):
        part.embed_tokens = copy.deepcopy(part.embed_tokens)
        part.embed_tokens.weight.data = state[f"model.{half}.embed_tokens.weight"].float()
with open(os.path.join(root, "generate/pegasus-tiny.json")) as recorded:
    batches = json.load(recorded)["batches"]


class Noise(LogitsProcessor):
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids, scores):
        return scores + 2e-4 * torch.randn(scores.shape, generator=self.generator, dtype=scores.dtype)


def generate(batch, config, noise=None):
    model.generation_config = GenerationConfig(
        decoder_start_token_id=0, eos_token_id=1, pad_token_id=0, forced_eos_token_id=1)
    with torch.no_grad():
        return model.generate(
            input_ids=torch.tensor(batch["input_ids"]), attention_mask=torch.tensor(batch["attention_mask"]),
            **copy.deepcopy(config), do_sample=False, return_dict_in_generate=True, output_scores=True,
            logits_processor=[] if noise is None else [Noise(noise)])


def draw_config():
    groups = draw.choice([2, 2, 3, 4])
    beams = groups * draw.choice([1, 1, 2, 3])
    config = {"num_beams": beams, "num_beam_groups": groups, "diversity_penalty": draw.choice([0.2, 0.5, 1.0, 2.0]),
              "max_length": draw.choice([3, 8, 16, 24]), "length_penalty": draw.choice([-1.0, 0.6, 1.0, 2.0]),
              "num_return_sequences": draw.randint(1, beams), "early_stopping": draw.choice([True, False, "never"])}
    if draw.random() < 0.2:
        config["min_length"] = draw.randint(1, config["max_length"])
    if draw.random() < 0.2:
        config["no_repeat_ngram_size"] = draw.choice([2, 3])
    if draw.random() < 0.2:
        config["repetition_penalty"] = draw.choice([0.8, 1.4])
    if draw.random() < 0.15:
        config["forced_eos_token_id"] = None
    return config


cases, dropped = [], 0
for attempt in range(count * 3):
    if len(cases) == count:
        break
    index, config = draw.randrange(len(batches)), draw_config()
    model.final_logits_bias[0, 1] = draw.choice([0.0, 2.0, 4.0, 5.0])
    out = generate(batches[index], config)
    noisy = [generate(batches[index], config, noise) for noise in (attempt, attempt + 10000, attempt + 20000)]
    if any(not torch.equal(out.sequences, other.sequences) for other in noisy):
        dropped += 1
        continue
    cases.append({"batch": index, "eos_bias": model.final_logits_bias[0, 1].item(), "config": config,
                  "sequences": out.sequences.tolist(), "sequences_scores": out.sequences_scores.tolist()})
with open(os.path.join(root, "generate/pegasus-tiny-groups.json"), "w") as out:
    json.dump({"versions": {name: version(name) for name in ("torch", "transformers")}, "batches": batches, "cases": cases}, out)
print(f"groups: {len(cases)} cases, {dropped} dropped")
