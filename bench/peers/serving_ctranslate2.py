"""The serving bench's second peer: FastAPI over CTranslate2 with 8-bit weights, requests gathered into batches."""

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import ctranslate2
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoTokenizer, PegasusConfig

options = json.loads(sys.argv[1])
converted = options["converted"]
if not os.path.exists(os.path.join(converted, "model.bin")):
    # Its converter reads what configs on the hub say and save_pretrained leaves out.
    for key, value in {
        "normalize_before": True,
        "normalize_embedding": False,
        "add_final_layer_norm": True,
        "static_position_embeddings": True,
    }.items():
        setattr(PegasusConfig, key, value)
    converter = ctranslate2.converters.TransformersConverter(options["folder"])
    converter.convert(converted, quantization="int8", force=True)
tokenizer = AutoTokenizer.from_pretrained(options["folder"])
replicas = options.get("replicas", 1)
# Replicas share the weights, and each works on a batch of its own.
translator = ctranslate2.Translator(
    converted,
    device="cpu",
    compute_type="int8",
    intra_threads=options["threads"] // replicas,
    inter_threads=replicas,
)
waiting: asyncio.Queue = asyncio.Queue()
workers = ThreadPoolExecutor(max_workers=replicas)


def translate(sources: list[list[str]]) -> list[list[str]]:
    # It sorts by length and parts what is larger than max_batch_size by itself.
    results = translator.translate_batch(
        sources,
        max_batch_size=options["batch"],
        beam_size=options["beams"],
        max_decoding_length=options["newTokens"],
        min_decoding_length=options["newTokens"],
        max_input_length=0,
    )
    return [result.hypotheses[0] for result in results]


async def answer(batch: list, free: asyncio.Semaphore) -> None:
    loop = asyncio.get_running_loop()
    try:
        answers = await loop.run_in_executor(workers, translate, [source for source, _ in batch])
        for (_, future), tokens in zip(batch, answers):
            if not future.done():
                future.set_result(tokens)
    except Exception as wrong:
        for _, future in batch:
            if not future.done():
                future.set_exception(wrong)
    finally:
        free.release()


async def serve() -> None:
    """Takes what has come meanwhile, at most a batch, and a little more while it is not full."""
    loop = asyncio.get_running_loop()
    free = asyncio.Semaphore(replicas)
    answering = set()
    while True:
        await free.acquire()
        batch = [await waiting.get()]
        until = loop.time() + options["gatherMs"] / 1000
        while len(batch) < options["batch"]:
            try:
                batch.append(await asyncio.wait_for(waiting.get(), max(0.0, until - loop.time())))
            except asyncio.TimeoutError:
                break
        task = asyncio.create_task(answer(batch, free))
        answering.add(task)
        task.add_done_callback(answering.discard)


@asynccontextmanager
async def lifespan(_: FastAPI):
    task = asyncio.create_task(serve())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


class Document(BaseModel):
    content: str


@app.post("/summarize")
async def summarize(document: Document) -> dict[str, object]:
    ids = tokenizer(document.content).input_ids
    future = asyncio.get_running_loop().create_future()
    await waiting.put((tokenizer.convert_ids_to_tokens(ids), future))
    tokens = await future
    summary = tokenizer.decode(tokenizer.convert_tokens_to_ids(tokens), skip_special_tokens=True)
    return {"summary": summary, "inputTokens": len(ids), "outputTokens": len(tokens)}


uvicorn.run(app, host="127.0.0.1", port=options["port"], log_level="warning")
