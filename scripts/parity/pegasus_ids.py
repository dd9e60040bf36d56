# Encodes the lines of a file with transformers' tokenizer of a folder, and prints the ids of each as JSON.
# Usage: python pegasus_ids.py FOLDER LINES.txt
import json
import sys

# This folder holds files with the libraries' names.
sys.path.pop(0)
from transformers import AutoTokenizer

try:
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], use_fast=False)
except TypeError:
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
with open(sys.argv[2], encoding="utf-8", newline="\n") as file:
    for line in file:
        print(json.dumps(tokenizer(line.rstrip("\n"))["input_ids"]))
