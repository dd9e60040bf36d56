# Lets the real huggingface_hub and transformers work on a cache, and prints what they find as JSON.
# Usage: python hub.py read|snapshot|models OWNER/NAME    (HF_HOME, HF_ENDPOINT and HF_HUB_OFFLINE say where)
import json
import sys
from pathlib import Path

# This file's own folder holds scripts named as the libraries are.
sys.path.pop(0)
from huggingface_hub import scan_cache_dir, snapshot_download

what, repo = sys.argv[1:3]
# What Bridle fetches: configuration, tokenizer, and safetensors where there are some.
patterns = ["*.json", "*.model", "*.safetensors", "*.txt"]

if what == "read":
    # Nothing may be asked of the hub: the cache has to answer by itself.
    folder = Path(snapshot_download(repo, allow_patterns=patterns, local_files_only=True))
    info = scan_cache_dir()
    [cached] = info.repos
    [revision] = cached.revisions
    print(
        json.dumps(
            {
                "folder": str(folder),
                "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
                "warnings": [str(warning) for warning in info.warnings],
                "refs": sorted(revision.refs),
                "commit": revision.commit_hash,
            }
        )
    )
elif what == "snapshot":
    print(json.dumps({"folder": snapshot_download(repo, allow_patterns=patterns)}))
elif what == "models":
    from transformers import AutoModelForSeq2SeqLM, PegasusTokenizer

    model, found = AutoModelForSeq2SeqLM.from_pretrained(repo, output_loading_info=True)
    tokenizer = PegasusTokenizer.from_pretrained(repo)
    ids = tokenizer("The harbour was closed.")["input_ids"]
    print(json.dumps({"missing": sorted(found["missing_keys"]), "ids": list(map(int, ids))}))
