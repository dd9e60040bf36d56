# Loads what `bridle train` left with the real transformers and peft, and prints how far its logits are from Bridle's.
# Usage: python trained.py CASES.json, a list of {name, model, adapter, logits, inputIds, labels}; adapter may be null.
import json
import sys

# This folder's own names must not stand before the libraries'.
sys.path.pop(0)
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

for case in json.load(open(sys.argv[1])):
    model, info = AutoModelForSeq2SeqLM.from_pretrained(case["model"], output_loading_info=True)
    unexpected = sorted(info["unexpected_keys"])
    if case["adapter"] is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, case["adapter"])
    model.eval()
    expected = torch.tensor(case["logits"])
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor(case["inputIds"]), labels=torch.tensor(case["labels"])
        ).logits
    text = "The harbour was closed in winter."
    print(
        json.dumps(
            {
                "name": case["name"],
                "worst": (logits - expected).abs().max().item(),
                "missing": sorted(info["missing_keys"]),
                "unexpected": unexpected,
                "tokens": AutoTokenizer.from_pretrained(case["model"])(text)["input_ids"],
            }
        )
    )
