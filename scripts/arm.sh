#!/usr/bin/env bash
# Runs the tests of the cells and the kernels on 64-bit ARM, where the portable code becomes NEON, under qemu.
# Needs qemu-aarch64 and a linker (Debian: qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross) and the target's
# standard library: rustup target add aarch64-unknown-linux-gnu. Where that cannot be had, it is built from source:
# RUST_SRC names the folder library of the compiler's source (Debian: the package rust-src of the same version).
set -euo pipefail
cd "$(dirname "$0")/.."
for program in qemu-aarch64 aarch64-linux-gnu-gcc; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is missing: apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross" >&2
        exit 2
    fi
done
target=aarch64-unknown-linux-gnu
options=(--release --lib --target "$target" --no-default-features)
if [ -n "${RUST_SRC:-}" ]; then
    # Only a compiler with unstable options builds its own library.
    export RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$RUST_SRC
    options+=(-Zbuild-std=std,test)
elif [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "no standard library for $target: rustup target add $target, or set RUST_SRC" >&2
    exit 2
fi
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
cargo test "${options[@]}" -- cell:: kernel:: "$@"
