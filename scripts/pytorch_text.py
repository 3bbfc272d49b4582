#!/usr/bin/env python3
"""The model of `bptt train text` in PyTorch, on the same text: characters a second and validation loss.

    cargo run --release -- train text novel.txt --backend flex --threads 2 --epochs 5
    python scripts/pytorch_text.py runs/text

Reads the run's config.toml and trains the same network (one-hot LSTM, Adam, the norm of the whole gradient clipped,
state carried over windows, cosine schedule) from weights of its own, then scores the validation text by the chain rule.

Needs Python 3.11+ and torch.
"""

import argparse
import math
import time
import tomllib
from pathlib import Path

import torch


def text_of(path):
    if path.is_file():
        try:
            return path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:  # passed over, as there
            return ""
    files = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    return "".join(text_of(file) for file in files)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = tomllib.loads((arguments.run / "config.toml").read_text())
    torch.manual_seed(config["seed"])

    text = "".join(text_of(Path(path)) for path in config["path"])
    characters = sorted(set(text))
    number = {character: index + 1 for index, character in enumerate(characters)}
    classes = torch.tensor([number[character] for character in text])
    count = len(characters) + 1
    split = len(classes) - int(len(classes) * config["valid-share"])
    training, valid = classes[:split], classes[split:]

    batch, window, hidden = config["batch"], config["window"], config["hidden"]
    length = len(training) // batch // window * window
    streams = training[: len(training) // batch * batch].reshape(batch, -1)[:, :length]
    start = torch.zeros(batch, 1, dtype=torch.long)
    lstm = torch.nn.LSTM(count, hidden, config["layers"], batch_first=True)
    readout = torch.nn.Linear(hidden, count)
    parameters = [*lstm.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=config["lr"])
    windows = length // window
    steps = windows * config["epochs"]

    def loss_of(inputs, targets, state):
        one_hot = torch.nn.functional.one_hot(inputs, count).float()
        output, state = lstm(one_hot, state)
        logits = readout(output)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()), state

    seconds = 0.0
    for epoch in range(config["epochs"]):
        begin, state, total = time.monotonic(), None, 0.0
        inputs = torch.cat([start, streams[:, :-1]], 1)
        for w in range(windows):
            step = epoch * windows + w
            factor = 0.5 * (1 + math.cos(math.pi * step / steps)) if config["schedule"] == "cosine" else 1.0
            optimizer.param_groups[0]["lr"] = config["lr"] * factor
            part = slice(w * window, (w + 1) * window)
            loss, state = loss_of(inputs[:, part], streams[:, part], state)
            state = tuple(tensor.detach() for tensor in state)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, config["clip"])
            optimizer.step()
            total += loss.item()
        seconds += time.monotonic() - begin
        with torch.no_grad():
            before, state, nats = torch.zeros(1, dtype=torch.long), None, 0.0
            for block in valid.split(2048):
                shifted = torch.cat([before, block[:-1]])[None]
                loss, state = loss_of(shifted, block[None], state)
                nats += loss.item() * len(block)
                before = block[-1:]
        rate = (epoch + 1) * windows * window * batch / seconds
        print(f"epoch {epoch + 1}: loss {total / windows:.4f}, validation {nats / len(valid):.4f} nats, {rate:.0f} characters/s", flush=True)


if __name__ == "__main__":
    main()
