#!/usr/bin/env python3
"""How far PyTorch's gradients under autocast to bf16 are from the exact ones: the fixtures of `tests/engine/rounding.rs`.

    python scripts/pytorch_rounding.py --out tests/fixtures/rounding.json

For each drawn case, one layer of `nn.LSTM`, `nn.GRU` or `nn.RNN`, it writes the sizes, the seed and the relative errors

    |g - g64| / |g64|      (Euclidean norms; g of all weights, biases and of the input together)

of the output and of the gradient of L = sum(d_output * output), computed in f32 under `torch.autocast("cpu", torch.bfloat16)`, where
g64 is computed in f64. The numbers of a case come from its seed by splitmix64 (Steele 2014), so that the test draws the same.

Needs Python 3.9+, torch and numpy.
"""

import argparse
import json

import numpy
import torch
from torch import nn

CASES = 501
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class Splitmix:
    def __init__(self, seed):
        self.state = seed

    def draw(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    def below(self, end):
        return self.draw() % end

    def tensor(self, shape, bound):
        """Uniform between -bound and bound, to 24 bits, so that f32 holds them exactly."""
        count = int(numpy.prod(shape))
        units = [(self.draw() >> 40) / 2**23 - 1 for _ in range(count)]
        return torch.from_numpy((numpy.array(units) * bound).astype(numpy.float32).reshape(shape))


def error(found, exact):
    found, exact = [torch.cat([t.detach().double().flatten() for t in tensors]) for tensors in (found, exact)]
    return (torch.linalg.norm(found - exact) / torch.linalg.norm(exact)).item()


def gradients(cell, features, hidden, dtype, tensors, autocast):
    layer = CELLS[cell](features, hidden, dtype=dtype)
    x, d_output, *weights = [tensor.to(dtype) for tensor in tensors]
    with torch.no_grad():
        for parameter, weight in zip(layer.parameters(), weights):
            parameter.copy_(weight)
    x.requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output, _ = layer(x)
    (output.to(dtype) * d_output).sum().backward()
    return [output], [x.grad] + [parameter.grad for parameter in layer.parameters()]


def case(number):
    cell = list(CELLS)[number % 3]
    random = Splitmix(number)
    time, batch = 1 + random.below(40), 1 + random.below(20)
    features, hidden = 1 + random.below(48), 1 + random.below(64)
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[cell]
    bound = 1 / hidden**0.5
    shapes = [(gates * hidden, features), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)]
    tensors = [random.tensor((time, batch, features), 1.0), random.tensor((time, batch, hidden), 1.0)]
    tensors += [random.tensor(shape, bound) for shape in shapes]
    exact = gradients(cell, features, hidden, torch.float64, tensors, False)
    found = gradients(cell, features, hidden, torch.float32, tensors, True)
    errors = [float(f"{error(*pair):.3e}") for pair in zip(found, exact)]
    return [cell, number, time, batch, features, hidden, *errors]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    rows = ",\n".join(json.dumps(case(number)) for number in range(CASES))
    about = {
        "pytorch": torch.__version__,
        "columns": ["cell", "seed", "time", "batch", "features", "hidden", "output_error", "gradient_error"],
    }
    with open(out, "w") as file:
        file.write(json.dumps(about)[:-1] + f', "cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
