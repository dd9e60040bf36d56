"""The train-step bench's peer: takes optimizer steps on one batch with transformers and PyTorch, eagerly."""

import json
import sys
import time

import torch
from memory import memory
from transformers import AutoConfig, AutoModelForSeq2SeqLM

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
torch.manual_seed(1)
device = "cpu" if options.get("device", "cpu") == "cpu" else "cuda"
config = AutoConfig.from_pretrained(options["folder"])
config.dropout = options["dropout"]
config.attention_dropout = 0.0
config.activation_dropout = 0.0
model = AutoModelForSeq2SeqLM.from_pretrained(
    options["folder"], config=config, dtype="auto", attn_implementation="sdpa"
).to(device)
if options.get("lora"):
    from peft import LoraConfig, TaskType, get_peft_model

    lora = options["lora"]
    model = get_peft_model(
        model,
        LoraConfig(
            task_type=TaskType.SEQ_2_SEQ_LM,
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            target_modules=lora["targets"],
        ),
    )
model.train()
learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
rate = options["learningRate"]
if options["optimizer"]["name"] == "adafactor":
    from transformers.optimization import Adafactor

    optimizer = Adafactor(learned, lr=rate, scale_parameter=False, relative_step=False, warmup_init=False)
else:
    optimizer = torch.optim.AdamW(learned, lr=rate, weight_decay=0.0, fused=True)
with open(options["batch"], encoding="utf-8") as file:
    batch = json.load(file)
inputs = {
    "input_ids": torch.tensor(batch["inputIds"], device=device),
    "attention_mask": torch.tensor(batch["attentionMask"], device=device),
    "labels": torch.tensor(batch["labels"], device=device),
}
seconds, losses = [], []
for index in range(options["warmUp"] + options["steps"]):
    began = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    loss = model(**inputs, use_cache=False).loss
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if index >= options["warmUp"]:
        seconds.append(time.perf_counter() - began)

print(
    json.dumps(
        {
            "seconds": seconds,
            "losses": losses,
            **memory(),
        }
    ),
    flush=True,
)
