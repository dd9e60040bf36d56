"""The decode bench's first peer: transformers' generate, in float32 or bfloat16."""

import json
import sys
import time

import torch
from memory import memory
from transformers import AutoModelForSeq2SeqLM

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
model = AutoModelForSeq2SeqLM.from_pretrained(options["folder"], dtype=getattr(torch, options["dtype"])).eval()
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    ids = torch.tensor(asked["inputIds"])
    began = time.perf_counter()
    with torch.inference_mode():
        sequences = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            num_beams=asked["beams"],
            do_sample=False,
            max_new_tokens=asked["newTokens"],
            min_new_tokens=asked["newTokens"],
        )
    seconds = time.perf_counter() - began
    print(
        json.dumps({"seconds": seconds, "lengths": [len(row) - 1 for row in sequences], **memory()}),
        flush=True,
    )
