#!/usr/bin/env bash
# Checks every memory access of the kernels' tests with valgrind, which knows AVX2 and the portable code but
# no AVX-512. Takes about a quarter of an hour. (AddressSanitizer needs a nightly compiler.)
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(cargo test --release --lib --no-run --message-format=json 2>/dev/null |
    python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "bptt":
        print(message["executable"])')
valgrind --quiet --error-exitcode=9 "$binary" kernel:: "$@"
