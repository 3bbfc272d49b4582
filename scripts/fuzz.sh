#!/usr/bin/env bash
# Feeds every reader hostile files, made up under AddressSanitizer from the seeds in fuzz/seeds: a target after the other,
# 75 seconds each, or those that are named: scripts/fuzz.sh series sound. SECONDS_EACH=3600 goes on for longer. Whatever
# breaks a promise, panics, or takes more than 2 GiB is kept in fuzz/artifacts and ends the script.
# Needs cargo-fuzz (cargo install cargo-fuzz) and a C++ compiler; RUSTC_BOOTSTRAP=1 lets a stable compiler do it.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is not there: cargo install cargo-fuzz" >&2
    exit 2
fi
export RUSTC_BOOTSTRAP=1
# The targets write small files.
if [ -d /dev/shm ]; then export TMPDIR=/dev/shm; fi
targets=("$@")
[ $# -gt 0 ] || targets=(series text sound run_folder checkpoint weights)
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    options=(-max_total_time="${SECONDS_EACH:-75}" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1)
    dictionary=fuzz/dictionaries/$target.dict
    if [ -f "$dictionary" ]; then options+=(-dict="$dictionary"); fi
    echo "$target"
    cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- "${options[@]}" 2>&1 |
        grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|RELOAD|pulse|INITED)'
done
