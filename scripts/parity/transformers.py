# Loads a folder that Bridle wrote with the real transformers and prints the largest difference of its logits.
# Usage: python transformers.py FOLDER LOGITS.safetensors BATCHES.json
import json
import sys

# This file's own name must not stand before the library's.
sys.path.pop(0)
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

folder, golden, batches = sys.argv[1:4]
model, info = AutoModelForSeq2SeqLM.from_pretrained(folder, output_loading_info=True)
model.eval()
expected = load_file(golden)
worst = 0.0
for i, batch in enumerate(json.load(open(batches))["batches"]):
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor(batch["input_ids"]),
            attention_mask=torch.tensor(batch["attention_mask"]),
            labels=torch.tensor(batch["labels"]),
        ).logits
    worst = max(worst, (logits - expected[f"{i}.logits"]).abs().max().item())
print(json.dumps({"worst": worst, "missing": sorted(info["missing_keys"]), "unexpected": sorted(info["unexpected_keys"])}))
