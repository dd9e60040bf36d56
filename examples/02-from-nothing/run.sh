#!/usr/bin/env bash
# From nothing to a summarizer: a tokenizer, gap-sentence pre-training, fine-tuning with it and without, and what it is worth.
# Reads the rows in ./data and writes the models beside it. Words such as train.maxSteps=5 go to every run.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
bridle() { node "$here/../../dist/cli/main.js" "$@"; }

pieces="${VOCABULARY:-8000}"
bridle tokenizer train data/pretrain_sites.jsonl.gz data/docs.train.jsonl.gz data/acl_titles.train.jsonl.gz \
  --vocab-size "$pieces" --sample 400000 --output tokenizer

# Pegasus has 103 tokens of its own before the vocabulary's.
size="model.config.vocab_size=$((pieces + 103))"

# The model before it has learned anything: the schedule's first learning rate is 0.
bridle train "$here/pretrain.yaml" data.train=data/docs.valid.jsonl.gz train.output=untrained "$size" "$@" train.maxSteps=1

bridle train "$here/pretrain.yaml" "$size" "$@"
bridle train "$here/finetune.yaml" model.name=pretrained train.output=finetuned "$@"
bridle train "$here/finetune.yaml" model.name=untrained train.output=scratch "$@"

# A page past the model's reach is cut, as it was while the model learned.
bridle evaluate data/docs.test.jsonl.gz data/acl_titles.test.jsonl.gz --model finetuned --against scratch \
  --against untrained --num-beams 4 --length-penalty 0.8 --no-repeat-ngram-size 3 --max-new-tokens 48 --truncation \
  --outputs outputs.jsonl --overwrite --show 5
bridle evaluate data/docs.test.jsonl.gz data/acl_titles.test.jsonl.gz --sentences reference --baselines lead1,leadK
