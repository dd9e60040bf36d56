"""The serving bench's first peer: FastAPI over transformers' generate, one request at a time in the thread pool."""

import json
import sys
import threading

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
tokenizer = AutoTokenizer.from_pretrained(options["folder"])
model = AutoModelForSeq2SeqLM.from_pretrained(options["folder"], dtype=torch.float32).eval()
app = FastAPI()
# Generations side by side would only take the processors from each other.
turn = threading.Lock()


class Document(BaseModel):
    content: str


@app.post("/summarize")
def summarize(document: Document) -> dict[str, object]:
    inputs = tokenizer(document.content, return_tensors="pt")
    with turn, torch.inference_mode():
        ids = model.generate(
            **inputs,
            num_beams=options["beams"],
            do_sample=False,
            max_new_tokens=options["newTokens"],
            min_new_tokens=options["newTokens"],
        )[0]
    return {
        "summary": tokenizer.decode(ids, skip_special_tokens=True),
        "inputTokens": inputs.input_ids.shape[1],
        "outputTokens": len(ids) - 1,
    }


uvicorn.run(app, host="127.0.0.1", port=options["port"], log_level="warning")
