#!/usr/bin/env python3
"""Times one recurrent layer in this crate beside PyTorch, burn-nn and rust-lstm, and prints a Markdown table.

    python scripts/side_by_side.py
    python scripts/side_by_side.py --libraries pytorch,burn-nn,bptt --backend flex --sizes 10,100,1,16
    python scripts/side_by_side.py --libraries pytorch,pytorch-autocast,pytorch-bf16,bptt,bptt-bf16

The sides take turns, A B A B, and never work at the same time: before each turn there is a pause, for
idle threads of the other side go on spinning for a while, and the first repeat of a turn only warms up.
The table holds the medians and their ratios. Starts scripts/pytorch_speed.py with the same Python, and the worker that
`cargo bench --bench worker` builds.

Needs Python 3.9+, torch and numpy, and a Rust toolchain.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = "10,100,1,16;100,32,32,64;50,32,128,128;50,64,256,256;50,64,512,512;1000,8,128,128;200,1,256,256"
SECONDS = 1.5
ROUNDS = (5, 50)
PAUSE = 0.03
TURN = 0.03
ROUNDS_OF_THE_SLOW = 3


class Worker:
    """A process that answers each problem with milliseconds."""

    def __init__(self, command, threads):
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.about = json.loads(self.process.stdout.readline())

    def turn(self, problem, repeats):
        time.sleep(PAUSE)
        print(json.dumps(dict(problem, repeats=1 + repeats)), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["milliseconds"][1:]


RUST_LSTM = ROOT / "scripts/rust_lstm_speed/Cargo.toml"
WORKER = ["bench", "--no-run", "--bench", "worker"]
WORKER_RUST_LSTM = ["build", "--release", "--manifest-path", str(RUST_LSTM), "--target-dir", str(ROOT / "target/rust-lstm")]


def rust_worker(arguments, name):
    """The path of the program of that name, which cargo builds first."""
    command = ["cargo", *arguments, "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in built.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return message["executable"]
    raise SystemExit(f"error: cargo built no {name}")


def medians(sides, problem):
    """Milliseconds of each library, taking turns."""
    times = {library: worker.turn(dict(problem, **own), 1) for library, worker, own in sides}
    fastest = min(samples[0] for samples in times.values())
    start, rounds = time.monotonic(), 1
    while rounds < ROUNDS[0] or (
        rounds < ROUNDS[1] and time.monotonic() - start < SECONDS * len(sides)
    ):
        for library, worker, own in sides:
            first = times[library][0]
            if first <= 5 * fastest or rounds < ROUNDS_OF_THE_SLOW:
                repeats = min(20, max(1, int(TURN * 1e3 / first)))
                times[library] += worker.turn(dict(problem, **own), repeats)
        rounds += 1
    return {library: statistics.median(samples) for library, samples in times.items()}


def version(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--libraries", default="pytorch,bptt", help="the last one is what the others are held against; of pytorch, pytorch-autocast and pytorch-bf16 (products, or all numbers, in bf16), bptt, bptt-bf16, bptt-autodiff, burn-nn, rust-lstm (its LSTM, f64 on one thread)")
    parser.add_argument("--cells", default="lstm,gru,rnn")
    parser.add_argument("--sizes", default=SIZES, help="T,B,I,H;T,B,I,H;…")
    parser.add_argument("--modes", default="forward,forward_backward")
    parser.add_argument("--dtype", default="f32", choices=["f32", "f64"])
    parser.add_argument("--backend", default="flex", choices=["ndarray", "flex"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the medians to this file too")
    arguments = parser.parse_args()

    libraries = arguments.libraries.split(",")
    rust = Worker([rust_worker(WORKER, "worker")], arguments.threads)
    apart = {}
    of_pytorch = {"pytorch": {}, "pytorch-autocast": {"dtype": "autocast"}, "pytorch-bf16": {"dtype": "bf16"}}
    if any(library in of_pytorch for library in libraries):
        command = [sys.executable, str(ROOT / "scripts/pytorch_speed.py")]
        python = Worker(command, arguments.threads)
        apart.update((library, python) for library in libraries if library in of_pytorch)
    if "rust-lstm" in libraries:
        apart["rust-lstm"] = Worker([rust_worker(WORKER_RUST_LSTM, "rust_lstm_speed")], 1)
    sides = [
        (library, apart[library], of_pytorch.get(library, {}))
        if library in apart
        else (library, rust, {"library": library, "backend": arguments.backend})
        for library in libraries
    ]
    held = libraries[-1]
    others = libraries[:-1]
    lstm_alone = {"rust-lstm"}
    ratios = {(library, mode): [] for library in others for mode in arguments.modes.split(",")}
    rows = []
    print("| cell | T,B,I,H | mode | " + " | ".join(f"{library} ms" for library in libraries), end="")
    print(" | " + " | ".join(f"{library} / {held}" for library in others) + " |")
    print("|" + "---|" * (3 + len(libraries) + len(others)))
    for size in arguments.sizes.split(";"):
        steps, batch, features, hidden = map(int, size.split(","))
        for cell in arguments.cells.split(","):
            for mode in arguments.modes.split(","):
                problem = {
                    "cell": cell,
                    "time": steps,
                    "batch": batch,
                    "input": features,
                    "hidden": hidden,
                    "dtype": arguments.dtype,
                    "mode": mode,
                    "threads": arguments.threads,
                }
                there = [side for side in sides if cell == "lstm" or side[0] not in lstm_alone]
                times = medians(there, problem)
                rows.append(dict(problem, milliseconds=times))
                cells = [cell, size, mode.replace("_", " + ")]
                cells += [f"{times[library]:.3f}" if library in times else "" for library in libraries]
                for library in others:
                    if library not in times:
                        cells.append("")
                        continue
                    ratio = times[library] / times[held]
                    ratios[library, mode].append(ratio)
                    cells.append(f"{ratio:.2f}")
                print("| " + " | ".join(cells) + " |", flush=True)
    print()
    for (library, mode), values in ratios.items():
        mean = math.exp(statistics.fmean(map(math.log, values)))
        mode = mode.replace("_", " + ")
        print(f"{library} / {held}, {mode}: least {min(values):.2f}, geometric mean {mean:.2f}")
    about = [version("rustc", "--version"), f"{arguments.dtype}, {arguments.threads} threads", arguments.backend]
    python = next((worker for worker in apart.values() if "pytorch" in worker.about), None)
    if python:
        about = [python.about["machine"], f"PyTorch {python.about['pytorch']}"] + about
    print(", ".join(about))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
