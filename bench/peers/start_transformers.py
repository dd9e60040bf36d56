"""The start bench's peer: opens a model folder with transformers, summarizes one document, tells it and its own memory."""

import json
import sys

import torch
from memory import memory
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
tokenizer = AutoTokenizer.from_pretrained(options["folder"])
model = AutoModelForSeq2SeqLM.from_pretrained(options["folder"], dtype="auto").eval()
with open(options["document"], encoding="utf-8") as file:
    inputs = tokenizer(file.read(), return_tensors="pt")
with torch.inference_mode():
    ids = model.generate(
        **inputs,
        num_beams=options["beams"],
        max_new_tokens=options["newTokens"],
        min_new_tokens=options["newTokens"],
    )[0]

print(
    json.dumps(
        {
            "summary": tokenizer.decode(ids, skip_special_tokens=True),
            "inputTokens": inputs.input_ids.shape[1],
            "outputTokens": len(ids) - 1,
            **memory(),
        }
    ),
    flush=True,
)
