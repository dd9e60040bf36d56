#!/usr/bin/env bash
# A small project by hand: documents with summaries in raw/rows.jsonl become versioned, checked, split, learned and measured,
# each by one line. Words such as train.maxSteps=5 go to the training run.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
bridle() { node "$here/../../dist/cli/main.js" "$@"; }

[ -d .git ] || git init --quiet
[ -d .dvc ] || bridle data init
bridle data add raw/rows.jsonl
bridle data stats raw/rows.jsonl
bridle data split raw/rows.jsonl --output data --overwrite
bridle data check data/train.jsonl data/validation.jsonl data/test.jsonl --tests "$here/data.tests.yaml" --report data.html
bridle data add data
pieces="${VOCABULARY:-800}"
bridle tokenizer train data/train.jsonl --vocab-size "$pieces" --output tokenizer --overwrite
# Pegasus has 103 tokens of its own before the vocabulary's.
bridle train "$here/params.yaml" "model.config.vocab_size=$((pieces + 103))" "$@"
bridle evaluate data/test.jsonl --model model --num-beams 4 --max-new-tokens 48 --truncation --against extractive
bridle data status
