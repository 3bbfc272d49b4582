#!/usr/bin/env bash
# Runs every test of a gradient with each instruction set that the machine has and with 1, 2 and 3 threads.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --release --no-run --test engine --test alone
for set in amx avx512bf16 avx512 avx2 portable; do
    if ! BPTT_INSTRUCTION_SET=$set cargo run --release --quiet -- gradcheck --cell linear >/dev/null 2>&1; then
        echo "no $set here"
        continue
    fi
    for threads in 1 2 3; do
        echo "$set, $threads threads"
        BPTT_INSTRUCTION_SET=$set RAYON_NUM_THREADS=$threads \
            cargo test --release --quiet --test engine --test alone "$@"
    done
done
