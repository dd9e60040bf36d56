"""The decode bench's second peer: CTranslate2 with 8-bit weights, converted by its own converter."""

import json
import os
import sys
import time

import ctranslate2
from memory import memory
from transformers import PegasusConfig

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
with open(os.path.join(converted, "shared_vocabulary.json"), encoding="utf-8") as file:
    vocabulary = json.load(file)
translator = ctranslate2.Translator(
    converted, device="cpu", compute_type="int8", intra_threads=options["threads"], inter_threads=1
)
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    source = [[vocabulary[i] for i in row] for row in asked["inputIds"]]
    began = time.perf_counter()
    results = translator.translate_batch(
        source,
        beam_size=asked["beams"],
        max_decoding_length=asked["newTokens"],
        min_decoding_length=asked["newTokens"],
        max_input_length=0,
    )
    seconds = time.perf_counter() - began
    lengths = [len(result.hypotheses[0]) for result in results]
    print(json.dumps({"seconds": seconds, "lengths": lengths, **memory()}), flush=True)
