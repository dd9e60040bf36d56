#!/bin/sh
# Throws generated requests at a running server, after its own OpenAPI document, and fails on any answer that the
# document does not allow. Needs schemathesis: python3 -m venv venv && venv/bin/pip install schemathesis==4.32.5
# Usage: bridle serve & sh scripts/schemathesis.sh [URL] [further options of `schemathesis run`]
# Streams of news never end by themselves, and are left out.
# Where a neural model is served add `--exclude-checks positive_data_acceptance`: that a minimum lies below its maximum,
# and which option is whose model's, no schema says.
set -eu
url="${1:-http://127.0.0.1:8000}"
[ "$#" -gt 0 ] && shift
SCHEMATHESIS_HOOKS="$(cd "$(dirname "$0")" && pwd)/schemathesis_hooks.py"
export SCHEMATHESIS_HOOKS
# It leaves its caches where it runs.
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
"${SCHEMATHESIS:-schemathesis}" run "$url/openapi.json" \
  --url "$url" \
  --checks all \
  --phases examples,coverage,fuzzing,stateful \
  --max-examples "${MAX_EXAMPLES:-100}" \
  --request-timeout 30 \
  --exclude-path-regex '/events$' \
  --seed "${SEED:-1}" \
  --no-color \
  "$@"
