"""Makes a T5, mT5 or umT5 of random shape and weights, and what transformers computes with it.

Usage: python make_t5.py FOLDER SEED [--cases N]

FOLDER gets t5-tiny/, forward/t5-tiny.*, generate/t5-tiny.json and gradients.safetensors (of batch 0, from float64
weights), laid out as the golden runner reads them. Needs torch, transformers 5 and safetensors.
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
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import MT5Config, T5Config, UMT5Config
from transformers import MT5ForConditionalGeneration, T5ForConditionalGeneration, UMT5ForConditionalGeneration
from transformers.trainer_pt_utils import LabelSmoother

sys.path.append(folder_of_this)
from generating import Noise, draw_config, padded

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("seed", type=int)
parser.add_argument("--cases", type=int, default=40)
args = parser.parse_args()
draw = random.Random(f"t5 {args.seed}")
torch.manual_seed(args.seed)
VERSIONS = {name: version(name) for name in ("torch", "transformers")}
KINDS = {"t5": (T5Config, T5ForConditionalGeneration), "mt5": (MT5Config, MT5ForConditionalGeneration),
         "umt5": (UMT5Config, UMT5ForConditionalGeneration)}


def write(name, content):
    path = os.path.join(args.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        json.dump(content, out)


def make_model():
    kind = draw.choice(["t5", "t5", "t5", "mt5", "umt5"])
    # transformers 5.24 sizes the decoder's cache by the encoder's layers, and fails where the decoder has more.
    layers = draw.randint(1, 4)
    shape = dict(
        vocab_size=draw.choice([97, 300, 1004]), d_model=draw.choice([12, 17, 32, 48]), d_kv=draw.choice([4, 7, 12, 16]),
        d_ff=draw.choice([16, 50, 80]), num_layers=layers, num_decoder_layers=draw.randint(1, layers),
        num_heads=draw.choice([1, 2, 3, 4]), relative_attention_num_buckets=draw.choice([4, 5, 8, 16, 32, 33]),
        relative_attention_max_distance=draw.choice([17, 20, 24, 64, 128]), layer_norm_epsilon=draw.choice([1e-6, 1e-5]),
        feed_forward_proj=draw.choice(["relu", "gated-gelu", "gelu", "gated-silu", "gated-relu", "silu"]),
        dropout_rate=0.0, decoder_start_token_id=0, tie_word_embeddings=draw.random() < 0.5)
    config, architecture = KINDS[kind]
    model = architecture(config(**shape)).eval()
    own = draw.random() < 0.5
    if own:
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            elif "relative_attention_bias" in name:
                parameter.copy_(torch.randn_like(parameter))
            elif "shared" in name or "lm_head" in name:
                parameter.copy_(torch.randn_like(parameter) * (1 if model.config.to_dict().get("scale_decoder_outputs")
                                                               else model.config.d_model**-0.5))
            else:
                parameter.copy_(torch.randn_like(parameter) * parameter.shape[-1] ** -0.5 * (0.6 if ".q." in name else 1))
    return kind, own, model


def save(model, folder):
    """Saves in one of the layouts a hub has, and loads what transformers makes of it."""
    layout = draw.choice(["safetensors", "all-names", "zip", "sharded", "bfloat16"])
    saved = copy.deepcopy(model).to(torch.bfloat16 if layout == "bfloat16" else torch.float32)
    saved.save_pretrained(folder, max_shard_size="40KB" if layout == "sharded" else "5GB")
    single = os.path.join(folder, "model.safetensors")
    if layout == "zip":
        os.remove(single)
        torch.save(saved.state_dict(), os.path.join(folder, "pytorch_model.bin"))
    elif layout == "all-names":
        save_file({name: tensor.clone() for name, tensor in saved.state_dict().items()}, single, {"format": "pt"})
    return layout, type(model).from_pretrained(folder, dtype=torch.float32).eval()


def batch_of(rows, least, most, left=False):
    inputs = [[draw.randrange(2, vocabulary) for _ in range(draw.randint(least, most) - 1)] + [1] for _ in range(rows)]
    ids, mask = padded(inputs, 0), padded([[1] * len(row) for row in inputs], 0)
    if left:
        longest = len(ids[0])
        ids = [[0] * (longest - len(row)) + row for row in inputs]
        mask = [[0] * (longest - len(row)) + [1] * len(row) for row in inputs]
    return {"input_ids": ids, "attention_mask": mask}


def tensors(batch):
    return {name: torch.tensor(value) for name, value in batch.items()}


def record_forward(model):
    double = copy.deepcopy(model).double()
    batches, arrays = [], {}
    for i in range(5):
        rows = draw.randint(1, 4)
        batch = batch_of(rows, 2, 40 if i < 4 else 200, left=i == 3)
        batch["labels"] = padded([[draw.randrange(2, vocabulary) for _ in range(draw.randint(1, 40))] + [1]
                                  for _ in range(rows)], -100)
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
            exact.loss.backward()
            save_file({name: parameter.grad.float().contiguous().clone() for name, parameter in double.named_parameters()},
                      os.path.join(args.folder, "gradients.safetensors"))

        def smoothed(output):
            return {str(e): LabelSmoother(epsilon=e)(output, inputs["labels"]).item() for e in (0.0, 0.1, 0.3)}

        batches.append({
            **batch, "loss": out.loss.item(), "loss_float64": exact.loss.item(),
            "label_smoothed_loss": smoothed(out), "label_smoothed_loss_float64": smoothed(exact),
            "float32_vs_float64_logits_max_abs": (out.logits.double() - exact.logits).abs().max().item()})
    write("forward/t5-tiny.json", {"versions": VERSIONS, "batches": batches})
    save_file({name: tensor.contiguous().clone() for name, tensor in arrays.items()},
              os.path.join(args.folder, "forward/t5-tiny.safetensors"))


def generate(model, batch, config, noise=None):
    model.generation_config = transformers.GenerationConfig(decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)
    with torch.no_grad():
        return model.generate(**tensors(batch), **copy.deepcopy(config), do_sample=False, return_dict_in_generate=True,
                              output_scores=True, logits_processor=[] if noise is None else [Noise(noise)])


def record_generation(model):
    double = copy.deepcopy(model).double()
    batches = [batch_of(rows, 2, most, left) for rows, most, left in ((1, 30, False), (3, 60, False), (4, 30, True))]
    with torch.no_grad():
        seen = model(**tensors(batches[2]), decoder_input_ids=torch.tensor(batches[2]["input_ids"])).logits
    often = [i for i in seen.mean((0, 1)).topk(40).indices.tolist() if i > 1]
    cases, dropped = [], 0
    for attempt in range(args.cases * 3):
        if len(cases) == args.cases:
            break
        index, config = draw.randrange(len(batches)), draw_config(draw, often)
        try:
            out = generate(model, batches[index], config)
        except (ValueError, RuntimeError) as refused:
            print(f"transformers refuses {config}: {refused}", file=sys.stderr)
            continue
        others = [generate(double, batches[index], config), generate(model, batches[index], config, noise=attempt)]
        if any(not torch.equal(out.sequences, other.sequences) for other in others):
            dropped += 1
            continue
        case = {"batch": index, "config": config, "sequences": out.sequences.tolist()}
        if config["num_beams"] > 1:
            case["sequences_scores"] = out.sequences_scores.tolist()
            case["beam_indices"] = out.beam_indices.tolist()
            if not all(abs(score) < 1e6 for score in case["sequences_scores"]):
                continue
        cases.append(case)
    write("generate/t5-tiny.json", {"versions": VERSIONS, "batches": batches, "cases": cases})
    return dropped


folder = os.path.join(args.folder, "t5-tiny")
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(os.path.join(args.folder, "forward"), exist_ok=True)
kind, own, model = make_model()
vocabulary = model.config.vocab_size
layout, model = save(model, folder)
record_forward(model)
dropped = record_generation(model)
shape = {name: getattr(model.config, name) for name in (
    "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads", "relative_attention_num_buckets",
    "relative_attention_max_distance", "feed_forward_proj", "vocab_size")}
print(json.dumps({"seed": args.seed, "kind": kind, "ownHead": own, "layout": layout, "dropped": dropped,
                  "scales": getattr(model.config, "scale_decoder_outputs", None), **shape}))
