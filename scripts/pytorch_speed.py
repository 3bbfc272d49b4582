#!/usr/bin/env python3
"""Times PyTorch's recurrent layers on the CPU, as a worker of a side-by-side benchmark.

Reads one problem per line of stdin and answers each with one line on stdout:

    {"cell": "lstm", "time": 10, "batch": 100, "input": 1, "hidden": 16, "dtype": "f32",
     "mode": "forward_backward", "threads": 2, "repeats": 5}       (on one line)
    {"milliseconds": [0.51, 0.50, 0.52, 0.50, 0.51]}               (one number per repeat)

after a first line {"pytorch": version, "machine": CPU model}. `cell` is lstm, gru or rnn (tanh),
`dtype` f32, f64, autocast (f32 under `torch.autocast("cpu", torch.bfloat16)`) or bf16 (all tensors). All are one layer with bias, time first, from zero states, on a random input.

* `forward`: the module under `torch.inference_mode()`.
* `forward_backward`: the module and `output.backward(upstream)` with a fixed random upstream, which
  gives the gradients of the input and of all weights; they are reset outside of the timed region.

A new problem runs twice before it is timed, and is kept for the next line which asks for it.

Needs Python 3.9+, torch and numpy.
"""

import json
import platform
import sys
import time

import torch
from torch import nn

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
DTYPES = {"f32": torch.float32, "f64": torch.float64, "autocast": torch.float32, "bf16": torch.bfloat16}
MODES = ("forward", "forward_backward")
WARM_UP = 2


class Problem:
    def __init__(self, cell, time, batch, input, hidden, dtype, mode, threads):
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is none of {MODES}")
        self.autocast = dtype == "autocast"
        dtype = DTYPES[dtype]
        torch.manual_seed(0)
        self.threads = threads
        self.backward = mode == "forward_backward"
        self.module = CELLS[cell](input, hidden, dtype=dtype)
        self.x = torch.randn(time, batch, input, dtype=dtype, requires_grad=self.backward)
        made = torch.bfloat16 if self.autocast else dtype
        self.upstream = torch.randn(time, batch, hidden, dtype=made)
        self.run(WARM_UP)

    def run(self, repeats):
        """Milliseconds of each repeat."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        return [self.once() for _ in range(repeats)]

    def forward(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            return self.module(self.x)[0]

    def once(self):
        if self.backward:
            self.module.zero_grad(set_to_none=True)
            self.x.grad = None
            start = time.perf_counter()
            output = self.forward()
            output.backward(self.upstream.to(output.dtype))
            end = time.perf_counter()
        else:
            with torch.inference_mode():
                start = time.perf_counter()
                self.forward()
                end = time.perf_counter()
        return (end - start) * 1e3


def machine():
    try:
        with open("/proc/cpuinfo") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main():
    print(json.dumps({"pytorch": torch.__version__, "machine": machine()}), flush=True)
    problems = {}
    for line in sys.stdin:
        asked = json.loads(line)
        repeats = asked.pop("repeats")
        key = tuple(sorted(asked.items()))
        if key not in problems:
            problems[key] = Problem(**asked)
        print(json.dumps({"milliseconds": problems[key].run(repeats)}), flush=True)


if __name__ == "__main__":
    main()
