#!/usr/bin/env bash
# Looks for what a test alone does not see in the kernels, whose speed is bought with unsafe code:
#
#   models    every order in which their threads can meet, tried by loom: scripts/models/
#   address   AddressSanitizer over their tests, on each instruction set that the machine has
#   valgrind  valgrind over their tests, on AVX2 and the portable code: it knows no AVX-512, and takes half an hour
#
# scripts/sanitize.sh does all, scripts/sanitize.sh models address what is named. AddressSanitizer is for nightly
# compilers; RUSTC_BOOTSTRAP=1, for this crate alone, lets a stable one do it with the dependencies as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
places=(kernel:: recurrence::)

# The test program of the library, compiled by the wrapper if one is named.
tests() {
    local wrapper=${1:-}
    RUSTC_WORKSPACE_WRAPPER=$wrapper cargo test --release --config 'profile.release.package.bptt.opt-level=1' --lib \
        --no-run --message-format=json |
        python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "bptt":
        print(message["executable"])'
}

# A compiler that looks for faults of that kind.
compiler() {
    mkdir -p target/sanitize
    printf '#!/bin/sh\nexport RUSTC_BOOTSTRAP=1\nexec "$@" -Zsanitizer=%s\n' "$1" >"target/sanitize/$1"
    chmod +x "target/sanitize/$1"
    echo "$PWD/target/sanitize/$1"
}

# The command on each instruction set that is there.
on_each_set() {
    local set
    for set in avx512 avx2 portable; do
        if [ "$set" = avx512 ] && ! grep -q avx512f /proc/cpuinfo; then continue; fi
        if [ "$set" = avx2 ] && ! grep -q avx2 /proc/cpuinfo; then continue; fi
        echo "$set"
        BPTT_INSTRUCTION_SET=$set "$@"
    done
}

models() {
    cargo test --release --manifest-path scripts/models/Cargo.toml
}

address() {
    local program
    program=$(tests "$(compiler address)")
    on_each_set "$program" --quiet "${places[@]}"
}

valgrind_() {
    local program
    program=$(tests)
    valgrind --quiet --error-exitcode=9 "$program" kernel::
}

kinds=("$@")
[ $# -gt 0 ] || kinds=(models address valgrind)
for kind in "${kinds[@]}"; do
    echo "== $kind"
    case $kind in
        models | address) "$kind" ;;
        valgrind) valgrind_ ;;
        *) echo "there is no $kind: models, address, valgrind" >&2 && exit 2 ;;
    esac
done
