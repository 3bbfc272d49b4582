"""The files of a run, to compare two runs to the bit, and small trainings to do it with. Python's standard library alone."""

import datetime
import json
import os
import subprocess
from pathlib import Path

BINARY = Path(os.environ.get("BPTT", Path(__file__).resolve().parent.parent / "target" / "release" / "bptt"))

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom.\n"
DAYS = [datetime.date(2019, 1, 1) + datetime.timedelta(day) for day in range(330)]
SERIES = "date,sold\n" + "".join(f"{day},{100 + 7 * day.weekday() + day.month}.5\n" for day in DAYS)

# The arguments of `bptt train …` of a training of each kind: with a few checkpoints, and of some seconds with many.
SHORT = {
    "text": ["text", "novel.txt", "--hidden", "6", "--layers", "1", "--batch", "4", "--window", "50"]
    + ["--epochs", "2", "--checkpoint-every", "15"],
    "series": ["series", "sales.csv", "--hidden", "4", "--epochs", "2", "--checkpoint-every", "7"],
    "sound": ["sound", "--rate", "300", "--hidden", "6", "--batch", "2", "--window", "100"]
    + ["--epochs", "2", "--checkpoint-every", "4"],
    "adding": ["adding", "--time", "10", "--hidden", "5", "--steps", "20", "--test-every", "10"]
    + ["--test", "20", "--checkpoint-every", "4"],
}
LONGER = {
    "text": ["text", "novel.txt", "--hidden", "24", "--layers", "2", "--batch", "4", "--window", "20"]
    + ["--epochs", "12", "--checkpoint-every", "5", "--dropout", "0.2", "--truncate", "random:0.05"],
    "series": ["series", "sales.csv", "--hidden", "24", "--epochs", "40", "--checkpoint-every", "7"],
    "sound": ["sound", "--rate", "400", "--hidden", "24", "--batch", "4", "--window", "50"]
    + ["--epochs", "12", "--checkpoint-every", "4"],
    "adding": ["adding", "--time", "24", "--hidden", "12", "--steps", "700", "--test-every", "40"]
    + ["--test", "50", "--batch", "8", "--checkpoint-every", "9", "--truncate", "random:0.05", "--all-steps"],
}


def write_data(folder):
    """The files that the trainings read."""
    (folder / "novel.txt").write_text("".join(f"{number}: {TEXT}" for number in range(60)))
    (folder / "sales.csv").write_text(SERIES)


def environment():
    return dict(os.environ, RAYON_NUM_THREADS="1")


def bptt(arguments, folder, before=()):
    """Runs the program, below the command `before` if there is one."""
    command = [*before, str(BINARY), *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, errors="replace")


def is_begun(run, task):
    """Whether the run can go on: a training that was killed before has not written what it learns from."""
    files = ["config.toml"] + (["data.toml"] if task in ("text", "series", "sound") else [])
    return all((run / name).exists() for name in files)


def training(arguments, run, folder):
    """The arguments that begin the run or, if it is begun, go on with it."""
    if is_begun(folder / run, arguments[0]):
        return ["train", arguments[0], "--resume", run, "--quiet"]
    return ["train", *arguments, "--out", run, "--quiet"]


def tensors(file):
    """The tensors of a safetensors file by name, and its progress. The optimizer's record has no fixed order."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    notes = header.pop("__metadata__")
    body = data[8 + size :]
    found = {name: body[slice(*entry["data_offsets"])] for name, entry in header.items()}
    found.pop("training.optimizer")
    return found, notes["progress"], notes["run"]


def differences(run, other):
    """The names of the files in which two finished runs differ, and of those that are left over."""
    differing = []
    for name in ["last", "best"]:
        file = f"checkpoint/{name}.safetensors"
        if tensors(run / file) != tensors(other / file):
            differing.append(file)
    for name in ["config.toml", "data.toml", "metrics.jsonl", "series.csv", "validation.wav", "backtest.csv"]:
        contents = [folder / name for folder in (run, other)]
        contents = [file.read_bytes() if file.exists() else None for file in contents]
        if contents[0] != contents[1]:
            differing.append(name)
    left = [*run.glob(".*"), *run.glob("checkpoint/.*")]
    return differing + [str(file.relative_to(run)) for file in left]
