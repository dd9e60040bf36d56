"""Makes a Pegasus of random shape and weights, its vocabulary, and what transformers computes with it.

Usage: python make_model.py FOLDER SEED [--cases N]

FOLDER gets pegasus-tiny/, forward/pegasus-tiny.* and generate/{pegasus-tiny,sampling}.json, laid out as the golden
runner reads them. Seed 0 has the shape of the recorded fixtures, every other seed a shape of its own. Needs torch,
transformers 5, sentencepiece and safetensors.
"""
import argparse
import copy
import json
import os
import random
import shutil
import sys
from importlib.metadata import version

folder_of_this = sys.path.pop(0)
import sentencepiece
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import PegasusConfig, PegasusForConditionalGeneration
from transformers.generation import logits_process as lp
from transformers.trainer_pt_utils import LabelSmoother

sys.path.append(folder_of_this)
import corpus
from generating import Noise, draw_config, padded

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("seed", type=int)
parser.add_argument("--cases", type=int, default=60)
args = parser.parse_args()
draw = random.Random(f"model {args.seed}")
torch.manual_seed(args.seed)
VERSIONS = {name: version(name) for name in ("torch", "transformers", "sentencepiece")}
SMOOTHING = (0.0, 0.1, 0.3)


def write(name, content):
    path = os.path.join(args.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        json.dump(content, out)


def train_vocabulary(folder, pieces):
    words = corpus.make_words(draw, 4000)
    text = os.path.join(args.folder, "corpus.txt")
    with open(text, "w") as out:
        for _ in range(6000):
            out.write(corpus.sentence(draw, words) + "\n")
        for _ in range(400):
            out.write("".join(corpus.character(draw) for _ in range(8)).replace("\n", " ").replace("\0", " ") + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=text, model_prefix=os.path.join(folder, "spiece"), vocab_size=pieces, model_type="unigram",
        character_coverage=0.995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>",
        unk_piece="<unk>", user_defined_symbols=["<n>"], normalization_rule_name="nmt_nfkc", minloglevel=2,
        hard_vocab_limit=False)
    os.remove(text)
    os.remove(os.path.join(folder, "spiece.vocab"))
    processor = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "spiece.model"))
    return words, processor


def make_config(vocab_size):
    shape = dict(d_model=64, encoder_layers=3, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
                 encoder_ffn_dim=128, decoder_ffn_dim=128, activation_function="relu", scale_embedding=True,
                 max_position_embeddings=128, tie_word_embeddings=True)
    if args.seed != 0:
        encoder_heads, decoder_heads = draw.choice([1, 2, 3, 4, 6]), draw.choice([1, 2, 3, 4, 6])
        width = draw.choice([12, 24, 36, 48, 60, 96])
        if encoder_heads == decoder_heads == 1:
            width = draw.choice([17, 33, 47])
        elif {encoder_heads, decoder_heads} <= {1, 3}:
            width = draw.choice([21, 33, 45])
        shape = dict(
            d_model=width, encoder_layers=draw.randint(1, 5), decoder_layers=draw.randint(1, 5),
            encoder_attention_heads=encoder_heads, decoder_attention_heads=decoder_heads,
            encoder_ffn_dim=draw.choice([16, 50, 128, 200]), decoder_ffn_dim=draw.choice([16, 50, 128, 200]),
            activation_function=draw.choice(["relu", "gelu", "silu", "gelu_new", "swish", "tanh", "gelu_pytorch_tanh"]),
            scale_embedding=draw.random() < 0.5, max_position_embeddings=draw.choice([64, 96, 128, 200]),
            tie_word_embeddings=draw.random() < 0.75)
    return PegasusConfig(vocab_size=vocab_size, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
                         decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, forced_eos_token_id=1, **shape)


def make_model(config):
    model = PegasusForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_positions" in name:
                continue
            if "layer_norm.weight" in name:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            elif "layer_norm" in name or name.endswith("bias"):
                parameter.copy_(0.1 * torch.randn_like(parameter))
            elif "shared" in name or "embed_tokens" in name or "lm_head" in name:
                parameter.copy_(torch.randn_like(parameter) * 1.5 * config.d_model**-0.5)
            else:
                parameter.copy_(torch.randn_like(parameter) * 1.3 * parameter.shape[-1] ** -0.5)
        model.final_logits_bias.copy_(0.3 * torch.randn_like(model.final_logits_bias))
    return model


def save(model, folder):
    """Saves in one of the layouts a hub has; half precision is rounded before, so that all read the same numbers."""
    layout = "safetensors" if args.seed == 0 else draw.choice(
        ["safetensors", "sharded", "zip", "legacy", "half", "bfloat16", "half-zip", "sharded-zip", "no-positions"])
    dtype = {"half": torch.float16, "half-zip": torch.float16, "bfloat16": torch.bfloat16}.get(layout, torch.float32)
    saved = copy.deepcopy(model).to(dtype)
    saved.generation_config.update(num_beams=4, max_length=32, length_penalty=0.8, forced_eos_token_id=1)
    saved.save_pretrained(folder, max_shard_size="40KB" if layout.startswith("sharded") else "5GB")
    state = saved.state_dict()
    single = os.path.join(folder, "model.safetensors")
    if layout in ("zip", "legacy", "half-zip"):
        os.remove(single)
        torch.save(state, os.path.join(folder, "pytorch_model.bin"), _use_new_zipfile_serialization=layout != "legacy")
    elif layout == "sharded-zip":
        for name in os.listdir(folder):
            if name.startswith("model"):
                os.remove(os.path.join(folder, name))
        names = sorted(state)
        half = len(names) // 2
        weight_map = {}
        for part, chosen in enumerate((names[:half], names[half:])):
            file = f"pytorch_model-{part + 1:05}-of-00002.bin"
            torch.save({name: state[name].clone() for name in chosen}, os.path.join(folder, file))
            weight_map |= {name: file for name in chosen}
        write(os.path.join(os.path.relpath(folder, args.folder), "pytorch_model.bin.index.json"),
              {"metadata": {"total_size": 0}, "weight_map": weight_map})
    elif layout == "no-positions":
        kept = {name: tensor for name, tensor in load_file(single).items() if "embed_positions" not in name}
        save_file(kept, single, {"format": "pt"})
    with torch.no_grad():
        for own, rounded in zip(model.parameters(), saved.parameters()):
            own.copy_(rounded.float())
        model.final_logits_bias.copy_(saved.final_logits_bias.float())
    return layout


def ids_of(processor, words, least, most):
    ids = []
    length = draw.randint(least, most)
    while len(ids) < length - 1:
        ids += [i + 103 for i in processor.encode(corpus.sentence(draw, words))]
    return ids[: length - 1] + [1]


def batch_of(processor, words, rows, least, most):
    inputs = [ids_of(processor, words, least, most) for _ in range(rows)]
    return {"input_ids": padded(inputs, 0), "attention_mask": padded([[1] * len(row) for row in inputs], 0)}


def tensors(batch):
    return {name: torch.tensor(value) for name, value in batch.items()}


def record_forward(model, processor, words):
    reach = model.config.max_position_embeddings
    double = copy.deepcopy(model).double()
    batches, arrays = [], {}
    for i in range(5):
        rows = draw.randint(1, 4)
        batch = batch_of(processor, words, rows, 2, min(reach, 60) if i < 4 else reach)
        labels = padded([ids_of(processor, words, 2, min(reach, 24)) for _ in range(rows)], -100)
        batch["labels"] = labels
        inputs = tensors(batch)
        with torch.no_grad():
            out = model(**inputs, output_hidden_states=i == 0)
            exact = double(**inputs)
        arrays[f"{i}.logits"] = out.logits
        arrays[f"{i}.encoder_last_hidden_state"] = out.encoder_last_hidden_state
        if i == 0:
            for side in ("encoder", "decoder"):
                for j, state in enumerate(getattr(out, f"{side}_hidden_states")):
                    arrays[f"0.{side}_hidden.{j}"] = state

        def smoothed(output):
            return {str(e): LabelSmoother(epsilon=e)(output, inputs["labels"]).item() for e in SMOOTHING}

        batches.append({
            **batch, "loss": out.loss.item(), "loss_float64": exact.loss.item(),
            "label_smoothed_loss": smoothed(out), "label_smoothed_loss_float64": smoothed(exact),
            "float32_vs_float64_logits_max_abs": (out.logits.double() - exact.logits).abs().max().item()})
    write("forward/pegasus-tiny.json", {"versions": VERSIONS, "batches": batches})
    arrays = {name: tensor.contiguous().clone() for name, tensor in arrays.items()}
    save_file(arrays, os.path.join(args.folder, "forward/pegasus-tiny.safetensors"))


def generate(model, batch, config, noise=None):
    config = copy.deepcopy(config)
    model.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=0, eos_token_id=1, pad_token_id=0, forced_eos_token_id=1)
    with torch.no_grad():
        return model.generate(**tensors(batch), **config, do_sample=False, return_dict_in_generate=True,
                              output_scores=True, logits_processor=[] if noise is None else [Noise(noise)])


def record_generation(model, processor, words):
    double = copy.deepcopy(model).double()
    reach = model.config.max_position_embeddings
    batches = [batch_of(processor, words, rows, 2, min(reach, 50)) for rows in (1, 3, 4, 2)]
    with torch.no_grad():
        seen = model(**tensors(batches[2]), decoder_input_ids=torch.tensor(batches[2]["input_ids"])).logits
    often = [i for i in seen.mean((0, 1)).topk(40).indices.tolist() if i > 1]
    cases, dropped = [], 0
    for attempt in range(args.cases * 3):
        if len(cases) == args.cases:
            break
        index = draw.randrange(len(batches))
        config = draw_config(draw, often)
        bias = draw.choice([-2.0, 0.0, 2.0, 4.0, 6.0])
        for each in (model, double):
            each.final_logits_bias[0, 1] = bias
        try:
            out = generate(model, batches[index], config)
        except (ValueError, RuntimeError) as refused:
            print(f"transformers refuses {config}: {refused}", file=sys.stderr)
            continue
        others = [generate(double, batches[index], config), generate(model, batches[index], config, noise=attempt),
                  generate(model, batches[index], config, noise=attempt + 10000)]
        if any(not torch.equal(out.sequences, other.sequences) for other in others):
            dropped += 1
            continue
        case = {"batch": index, "eos_bias": model.final_logits_bias[0, 1].item(), "config": config,
                "sequences": out.sequences.tolist()}
        if config["num_beams"] > 1:
            case["sequences_scores"] = out.sequences_scores.tolist()
            case["beam_indices"] = out.beam_indices.tolist()
            if not all(abs(score) < 1e6 for score in case["sequences_scores"]):
                continue
        cases.append(case)
    write("generate/pegasus-tiny.json", {"versions": VERSIONS, "batches": batches, "cases": cases})
    return dropped


WARPERS = {
    "temperature": (lp.TemperatureLogitsWarper, [0.3, 0.7, 1.0, 1.5]),
    "top_k": (lp.TopKLogitsWarper, [1, 3, 5, 20, 200]),
    "top_p": (lp.TopPLogitsWarper, [0.05, 0.5, 0.9, 0.95, 0.999]),
    "min_p": (lp.MinPLogitsWarper, [0.05, 0.2]),
    "typical_p": (lp.TypicalLogitsWarper, [0.2, 0.9]),
    "epsilon_cutoff": (lp.EpsilonLogitsWarper, [0.001, 0.01]),
    "eta_cutoff": (lp.EtaLogitsWarper, [0.001, 0.01]),
}


def record_sampling():
    cases = []
    for _ in range(120):
        config = {name: draw.choice(values) for name, (_, values) in WARPERS.items() if draw.random() < 0.35}
        logits = torch.randn(2, draw.choice([8, 30, 101, 400])) * draw.choice([0.5, 2.0, 5.0])
        scores = logits
        for name, (warper, _) in WARPERS.items():
            if name in config:
                scores = warper(config[name])(None, scores)
        cases.append({"config": config, "logits": logits.tolist(),
                      "kept": [[i for i, x in enumerate(row) if x > -float("inf")] for row in scores.tolist()],
                      "probs": scores.softmax(-1).tolist()})
    processors = []
    for i in range(80):
        kind = ["repetition_penalty", "no_repeat_ngram_size", "min_length", "bad_words_ids"][i % 4]
        ids = torch.randint(0, 12, (2, draw.randint(1, 10)))
        scores = torch.randn(2, 12)
        if kind == "repetition_penalty":
            value = draw.choice([0.5, 1.2, 2.0])
            processor = lp.RepetitionPenaltyLogitsProcessor(value)
        elif kind == "no_repeat_ngram_size":
            value = draw.choice([1, 2, 3])
            processor = lp.NoRepeatNGramLogitsProcessor(value)
        elif kind == "min_length":
            value = draw.choice([3, 8])
            processor = lp.MinLengthLogitsProcessor(value, 1)
        else:
            value = [[draw.randrange(12)]] + [[draw.randrange(12), draw.randrange(12)] for _ in range(2)]
            processor = lp.NoBadWordsLogitsProcessor(value)
        out = processor(ids, scores.clone())
        processors.append({"kind": kind, "value": value, "input_ids": ids.tolist(), "scores": scores.tolist(),
                           "out": [[None if x == -float("inf") else x for x in row] for row in out.tolist()]})
    write("generate/sampling.json", {"versions": VERSIONS, "order": list(WARPERS), "cases": cases, "processors": processors})


folder = os.path.join(args.folder, "pegasus-tiny")
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
words, processor = train_vocabulary(folder, 2000 if args.seed == 0 else draw.choice([600, 900, 1500]))
config = make_config(processor.get_piece_size() + 103)
model = make_model(config)
layout = save(model, folder)
record_forward(model, processor, words)
dropped = record_generation(model, processor, words)
record_sampling()
write("shape.json", {"seed": args.seed, "layout": layout, "dropped": dropped,
                     **{name: getattr(config, name) for name in (
                         "d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads",
                         "decoder_attention_heads", "encoder_ffn_dim", "decoder_ffn_dim", "activation_function",
                         "scale_embedding", "max_position_embeddings", "tie_word_embeddings", "vocab_size")}})
print(open(os.path.join(args.folder, "shape.json")).read())
