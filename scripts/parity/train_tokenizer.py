# Trains a tokenizer with the real sentencepiece and compares a model that Bridle trained with it; prints one JSON line.
# Usage: python train_tokenizer.py CORPUS OURS.model OPTIONS-AS-JSON
import json
import os
import sys
import tempfile

# This folder holds a file with the library's name.
sys.path.pop(0)
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

corpus, ours, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with tempfile.TemporaryDirectory() as folder:
    prefix = os.path.join(folder, "m")
    sentencepiece.SentencePieceTrainer.train(
        input=corpus, model_prefix=prefix, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        max_sentence_length=1 << 30, minloglevel=2, **options)
    with open(prefix + ".model", "rb") as file:
        reference = sentencepiece_model_pb2.ModelProto.FromString(file.read())
with open(ours, "rb") as file:
    content = file.read()
model = sentencepiece_model_pb2.ModelProto.FromString(content)
theirs = {p.piece: (i, p.score) for i, p in enumerate(reference.pieces)}
own = {p.piece: (i, p.score) for i, p in enumerate(model.pieces)}
common = theirs.keys() & own.keys()
# What the reference's file tells of where it was trained.
for field in ("input", "model_prefix", "max_sentence_length"):
    reference.trainer_spec.ClearField(field)
print(json.dumps({
    "pieces": len(theirs),
    "common": len(common),
    "sameId": sum(theirs[p][0] == own[p][0] for p in common),
    "sameScore": sum(theirs[p][1] == own[p][1] for p in common),
    "largestScoreDifference": max(abs(theirs[p][1] - own[p][1]) for p in common),
    "sameNormalizer": reference.normalizer_spec == model.normalizer_spec,
    "sameBytes": reference.SerializeToString() == content,
}))
