"""The start bench's peer: opens a model folder with transformers, summarizes one document, tells it and its own memory."""

import json
import re
import resource
import sys

import torch
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


def kilobytes(key: str) -> int:
    """A line of this process's status; where there is no /proc, the most memory it had."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return int(re.search(rf"^{key}:\s+(\d+)", status.read(), re.M).group(1))
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak


print(
    json.dumps(
        {
            "summary": tokenizer.decode(ids, skip_special_tokens=True),
            "inputTokens": inputs.input_ids.shape[1],
            "outputTokens": len(ids) - 1,
            "residentBytes": 1024 * kilobytes("VmRSS"),
            "peakBytes": 1024 * kilobytes("VmHWM"),
        }
    ),
    flush=True,
)
