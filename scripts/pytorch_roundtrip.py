#!/usr/bin/env python3
"""Weights from PyTorch to Rust and back, through a safetensors file.

    python scripts/pytorch_roundtrip.py all

makes a module, has `scripts/pytorch_roundtrip.rs` read it, compare outputs and write it back, and
loads what came back. The steps one by one:

    python scripts/pytorch_roundtrip.py make original.safetensors
    cargo run --release --example pytorch_roundtrip -- original.safetensors returned.safetensors
    python scripts/pytorch_roundtrip.py check returned.safetensors --original original.safetensors

`make FILE` writes the state dict of an `nn.LSTM(5, 7, num_layers=2, bidirectional=True,
batch_first=True)` in float32 with the prefix `encoder.lstm.`, and in `FILE.io.safetensors` an input
`x` [3, 9, 5] with the `output`, `h_n` and `c_n` the module gives for it from zero states.

`check FILE` loads FILE strictly into a fresh module, runs it on `x` of `--io` (by default
`ORIGINAL.io.safetensors`), prints the largest absolute differences, and exits with 1 when a weight
differs at all or a result by more than 1e-6.

Needs Python 3.9+, torch, numpy and safetensors.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from torch import nn

PREFIX = "encoder.lstm."
SEED = 20
TOLERANCE = 1e-6


def build():
    return nn.LSTM(5, 7, num_layers=2, bidirectional=True, batch_first=True)


def run(module, x):
    with torch.no_grad():
        output, (h_n, c_n) = module(x)
    return {"output": output.contiguous(), "h_n": h_n.contiguous(), "c_n": c_n.contiguous()}


def make(path):
    torch.manual_seed(SEED)
    module = build()
    x = torch.randn(3, 9, 5)
    save_file({PREFIX + name: tensor for name, tensor in module.state_dict().items()}, path)
    save_file({"x": x, **run(module, x)}, io_path(path))
    print(f"wrote {path} and {io_path(path)}")


def check(path, original, io):
    returned, original, io = load_file(path), load_file(original), load_file(io)
    module = build()
    weights = {name.removeprefix(PREFIX): tensor for name, tensor in returned.items()}
    module.load_state_dict(weights, strict=True)

    good = True
    for name, expected in original.items():
        # Not the loaded parameter: loading casts without a word.
        same = returned[name].dtype == expected.dtype and torch.equal(returned[name], expected)
        good &= report(name, returned[name], expected, same)
    for name, result in run(module, io["x"]).items():
        good &= report(name, result, io[name], difference(result, io[name]) <= TOLERANCE)
    print("same" if good else "DIFFERENT")
    return good


def all_steps():
    with tempfile.TemporaryDirectory() as folder:
        original, returned = f"{folder}/original.safetensors", f"{folder}/returned.safetensors"
        make(original)
        command = ["cargo", "run", "--release", "--example", "pytorch_roundtrip", "--"]
        root = pathlib.Path(__file__).parent.parent
        subprocess.run([*command, original, returned], cwd=root, check=True)
        return check(returned, original, io_path(original))


def report(name, tensor, expected, good):
    print(f"{name:40} {difference(tensor, expected):.3e} {'' if good else 'DIFFERENT'}".rstrip())
    return good


def difference(tensor, expected):
    return (tensor.double() - expected.double()).abs().max().item()


def io_path(path):
    return f"{path}.io.safetensors"


def main():
    parser = argparse.ArgumentParser(description="Weights from PyTorch to Rust and back.")
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("all", help="the whole round trip")
    modes.add_parser("make", help="write weights, an input and its results").add_argument("file")
    checking = modes.add_parser("check", help="compare weights which came back")
    checking.add_argument("file")
    checking.add_argument("--original", required=True, help="the file `make` wrote")
    checking.add_argument("--io", help="default: ORIGINAL.io.safetensors")
    args = parser.parse_args()

    torch.set_num_threads(1)
    if args.mode == "all":
        sys.exit(0 if all_steps() else 1)
    if args.mode == "make":
        make(args.file)
    elif not check(args.file, args.original, args.io or io_path(args.original)):
        sys.exit(1)


if __name__ == "__main__":
    main()
