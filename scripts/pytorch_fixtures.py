#!/usr/bin/env python3
"""Makes the PyTorch parity fixtures of `bptt`.

    python scripts/pytorch_fixtures.py --out tests/fixtures

needs Python 3.9+, torch >= 1.8, numpy and safetensors (`pip install torch numpy safetensors`;
the fixtures in the repository were made with the torch version named in `pytorch.json`). On another
version or CPU the last bits of the numbers may differ.

It writes two files, the same bytes at every run on the same machine:

* `pytorch.json`         the sizes and options of every case, and its seed;
* `pytorch.safetensors`  the float64 tensors of every case, under `NNN/name`.

The tensors of a case, for the loss L = sum(d_output * output) + sum(d_h_n * h_n)
(+ sum(d_c_n * c_n) for an LSTM):

* `x`, and `h_0` (and `c_0` for an LSTM) when `state` is true (they are zero otherwise);
* every weight under PyTorch's own name: `weight_ih_l0`, `weight_hh_l0_reverse`, `bias_ih_l1`,
  `weight_hr_l0`, ...;
* `output`, `h_n` (and `c_n`), and their upstream gradients `d_output`, `d_h_n` (and `d_c_n`);
* `grad/NAME`, the gradient of L, for `x`, the given initial states and every weight.

`x`, `output` and their gradients are [time, batch, feature], or [batch, time, feature] with
`batch_first`; states are always [layers * directions, batch, feature]. Where `lengths` are given,
the sequences went through `pack_padded_sequence(enforce_sorted=False)`: `x` and `d_output` are
random behind the end of a sequence too, `output` and `grad/x` are zero there.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

# Of the thousands up to 20000 the one which leaves the fewest gradients of dead ReLUs all zero.
FIRST_SEED = 10000

# (time, batch, input, hidden, layers, bidirectional, bias, batch_first, lengths, state): every
# cell runs all of them.
COMMON = [
    (1, 1, 1, 1, 1, False, True, False, None, False),
    (5, 3, 4, 3, 1, False, True, False, None, False),
    (6, 2, 3, 4, 1, False, False, True, None, True),
    (4, 3, 2, 5, 1, True, True, True, None, True),
    (7, 1, 1, 2, 2, False, True, False, None, True),
    (3, 4, 5, 1, 2, True, False, False, None, False),
    (5, 2, 3, 4, 3, False, False, True, None, False),
    (4, 2, 2, 3, 3, True, True, False, None, True),
    (1, 3, 3, 2, 2, True, True, True, None, True),
    (1, 1, 2, 3, 1, True, False, False, [1], True),
    (6, 4, 3, 3, 1, False, True, False, [3, 6, 1, 3], False),
    (5, 3, 2, 4, 1, True, True, True, [2, 5, 1], True),
    (7, 4, 4, 2, 2, False, False, True, [5, 2, 7, 5], True),
    (6, 4, 3, 4, 2, True, True, False, [1, 6, 4, 1], True),
    (5, 3, 1, 3, 3, False, True, False, [4, 1, 5], True),
    (4, 4, 3, 2, 3, True, False, True, [2, 2, 4, 1], False),
    (4, 2, 2, 3, 2, False, True, True, [4, 4], False),
    # No sequence reaches the end of the time.
    (7, 3, 5, 3, 2, True, True, True, [3, 5, 5], True),
    (6, 1, 2, 5, 1, False, False, False, [4], False),
]

# The same with the size of the projection in front, for the LSTM only.
PROJECTED = [
    (1, 1, 1, 1, 2, 1, False, True, False, None, False),
    (2, 5, 3, 3, 5, 1, False, True, False, None, True),
    (3, 4, 2, 2, 4, 1, False, False, True, None, False),
    (1, 6, 2, 4, 3, 1, True, True, True, None, True),
    (3, 5, 3, 3, 5, 2, False, True, True, None, True),
    (2, 4, 4, 5, 3, 2, True, False, False, None, False),
    (2, 3, 2, 2, 4, 3, True, True, False, None, False),
    (4, 7, 1, 1, 5, 3, False, False, False, None, True),
    (2, 6, 4, 3, 4, 1, False, True, False, [3, 6, 1, 3], True),
    (3, 5, 3, 2, 5, 1, True, True, True, [1, 5, 2], False),
    (1, 7, 4, 4, 2, 2, False, False, True, [5, 2, 7, 5], True),
    (2, 6, 4, 3, 5, 2, True, True, False, [1, 6, 4, 1], True),
    (3, 4, 4, 2, 4, 3, True, True, True, [2, 2, 4, 1], True),
    (2, 7, 3, 5, 3, 3, True, False, False, [3, 5, 5], False),
]

CELLS = ["rnn_tanh", "rnn_relu", "gru", "lstm"]


def cases():
    """The metadata of all cases, in order."""
    rows = [(cell, 0, *row) for cell in CELLS for row in COMMON]
    rows += [("lstm", *row) for row in PROJECTED]
    for number, row in enumerate(rows):
        cell, projection, time, batch, inputs, hidden, layers, *options = row
        bidirectional, bias, batch_first, lengths, state = options
        yield {
            "name": f"{number:03}",
            "cell": cell,
            "input": inputs,
            "hidden": hidden,
            "projection": projection,
            "layers": layers,
            "bidirectional": bidirectional,
            "bias": bias,
            "batch_first": batch_first,
            "time": time,
            "batch": batch,
            "lengths": lengths,
            "state": state,
            "seed": FIRST_SEED + number,
        }


def build(case):
    """The module of one case, with PyTorch's own random weights."""
    kind, _, nonlinearity = case["cell"].partition("_")
    options = {}
    if kind == "rnn":
        options["nonlinearity"] = nonlinearity
    if kind == "lstm":
        options["proj_size"] = case["projection"]
    return {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[kind](
        case["input"],
        case["hidden"],
        num_layers=case["layers"],
        bidirectional=case["bidirectional"],
        bias=case["bias"],
        batch_first=case["batch_first"],
        **options,
    )


def run(case):
    """The tensors of one case, by name."""
    torch.manual_seed(case["seed"])
    module = build(case)
    lstm = case["cell"] == "lstm"
    time, batch = case["time"], case["batch"]
    batch_first, lengths = case["batch_first"], case["lengths"]
    chains = case["layers"] * (2 if case["bidirectional"] else 1)

    # Everything that gets a gradient, by name.
    leaves = dict(module.named_parameters())
    leaves["x"] = torch.randn(*((batch, time) if batch_first else (time, batch)), case["input"])
    state = None
    if case["state"]:
        leaves["h_0"] = torch.randn(chains, batch, case["projection"] or case["hidden"])
        state = leaves["h_0"]
        if lstm:
            leaves["c_0"] = torch.randn(chains, batch, case["hidden"])
            state = (leaves["h_0"], leaves["c_0"])
    for leaf in leaves.values():
        leaf.requires_grad_(True)

    sequence = leaves["x"]
    if lengths:
        sequence = pack_padded_sequence(sequence, lengths, batch_first, enforce_sorted=False)
    output, last = module(sequence, state)
    if lengths:
        output, _ = pad_packed_sequence(output, batch_first, total_length=time)

    results = {"output": output, "h_n": last[0] if lstm else last}
    if lstm:
        results["c_n"] = last[1]
    upstream = {f"d_{name}": torch.randn(result.shape) for name, result in results.items()}
    sum((upstream[f"d_{name}"] * result).sum() for name, result in results.items()).backward()

    grads = {f"grad/{name}": leaf.grad for name, leaf in leaves.items()}
    return {**leaves, **results, **upstream, **grads}


def main():
    parser = argparse.ArgumentParser(description="Makes the PyTorch parity fixtures.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/fixtures"))
    out = parser.parse_args().out

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)

    listed = list(cases())
    tensors = {
        f"{case['name']}/{name}": tensor.detach().clone(memory_format=torch.contiguous_format)
        for case in listed
        for name, tensor in run(case).items()
    }

    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "pytorch.safetensors")
    lines = ",\n".join("  " + json.dumps(case) for case in listed)
    version = torch.__version__.partition("+")[0]
    text = f'{{"pytorch": "{version}", "cases": [\n{lines}\n]}}\n'
    (out / "pytorch.json").write_text(text)
    print(f"{len(listed)} cases, {len(tensors)} tensors in {out}")


if __name__ == "__main__":
    main()
