#!/usr/bin/env python3
"""Kills trainings at random moments and resumes them: all end in the bits of those that nobody has killed.

    cargo build --release && python3 scripts/kills.py --kills 200

Trains on text, series, sound and a generated task, a quarter of the kills each. After a kill the run goes on, until it is
killed again or ends; before some kills a second training is started in the same folder, and must be refused. At the end
weights, progress, metrics, configuration and data are compared with those of the training in one piece, and nothing else
may be left in the folder: no lock, no unfinished file. Python's standard library alone; POSIX.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run_files import BINARY, LONGER, bptt, differences, environment, training, write_data


def started(arguments, folder):
    return subprocess.Popen(
        [str(BINARY), *arguments], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for_lock(process, run, seconds):
    """Whether the process has locked the run before it ends or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if f"process {process.pid} " in (run / ".lock").read_text():
                return True
        except FileNotFoundError:
            pass
        time.sleep(0.002)
    return False


def second_is_refused(arguments, process, run, folder):
    """Starts a second training in the folder that the process has. None if it ended meanwhile, which proves nothing."""
    second = bptt(random.choice([training(arguments, run, folder), ["train", *arguments, "--out", run, "--quiet"]]), folder)
    if process.poll() is not None:
        return None
    lines = second.stderr.splitlines()
    # A new training sees the run that is there before it asks for the lock.
    named = f"process {process.pid} " in second.stderr or "trained run" in second.stderr
    if second.returncode != 2 or len(lines) != 1 or not named:
        sys.exit(f"{run}: a second training was not refused in one line: {second.stderr}")
    return True


def kill_and_resume(task, arguments, kills, folder):
    clock = time.monotonic()
    whole = bptt(["train", *arguments, "--out", "whole", "--quiet"], folder)
    seconds = time.monotonic() - clock
    if whole.returncode != 0:
        sys.exit(f"{task}: {whole.stderr}")
    killed = finished = refused = anew = 0
    while killed < kills or finished == 0:
        run, moments = f"run{finished}", []
        while True:
            command = training(arguments, run, folder)
            anew += "--out" in command and len(moments) > 0
            process = started(command, folder)
            # Some of them at its start, before there is anything to go on with.
            moment = random.choice([0.8, 0.8, 0.8, 0.02]) * seconds * random.random()
            deadline = time.monotonic() + moment
            if random.random() < 0.25 and wait_for_lock(process, folder / run, moment):
                refused += second_is_refused(arguments, process, run, folder) or 0
            try:
                status = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
                moments.append(round(moment, 3))
                continue
            break
        if status != 0:
            sys.exit(f"{task}: {run} ended with {status} after kills at {moments} s of {seconds:.3f} s: {folder}")
        differing = differences(folder / run, folder / "whole")
        if differing:
            sys.exit(f"{task}: {run} is another one, killed at {moments} s of {seconds:.3f} s: {differing}: {folder}")
        finished += 1
    print(
        f"{task}: {killed} kills in {finished} trainings of {seconds:.1f} s, {anew} of them before there was a run; "
        f"{refused} second trainings refused; all end in the bits of the one in one piece",
        flush=True,
    )
    return killed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how many in all [default: 200]")
    parser.add_argument("--seed", type=int, default=1, help="of the moments [default: 1]")
    chosen = parser.parse_args()
    random.seed(chosen.seed)
    total = 0
    for task, arguments in LONGER.items():
        folder = Path(tempfile.mkdtemp(prefix="bptt-kills-"))
        write_data(folder)
        total += kill_and_resume(task, arguments, -(-chosen.kills // len(LONGER)), folder)
        shutil.rmtree(folder)
    print(f"{total} kills")


if __name__ == "__main__":
    main()
