#!/usr/bin/env python3
"""Lets each write, fsync, rename and open of a short training fail, one after the other: no run is lost.

    apt-get install strace
    cargo build --release && python3 scripts/faults.py

strace injects ENOSPC, EIO and EINTR into each call, counted for each thread; a library that the C compiler makes and the
loader puts before the C library's `write` lets each write take half of the bytes. Each time the training ends with one
line on standard error and exit code 2, or as if nothing had been, which it never does where an fsync or a rename has failed;
there is no panic; and the run goes on to the bits of the one without a fault. This is done with a training that begins, and with one that goes on from a checkpoint. Python's
standard library alone; Linux.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from run_files import SHORT, bptt, differences, training, write_data

CALLS = ["openat", "write", "fsync", "rename"]
# Other names of the same calls, which must not be made, or the sweep would miss them.
OTHERS = ["open", "openat2", "creat", "writev", "pwrite64", "pwritev", "fdatasync", "sync_file_range", "renameat", "renameat2"]
FAULTS = {
    "openat": ["ENOSPC", "EIO", "EINTR"],
    "write": ["ENOSPC", "EIO", "EINTR", "half"],
    "fsync": ["ENOSPC", "EIO", "EINTR"],
    "rename": ["ENOSPC", "EIO", "EINTR"],
}

HALF_WRITES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

/* The write of the number in HALF_WRITE takes half of the bytes. */
ssize_t write(int file, const void *bytes, size_t count)
{
    static ssize_t (*original)(int, const void *, size_t);
    static long number;
    if (!original)
        original = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    const char *chosen = getenv("HALF_WRITE");
    if (chosen && __sync_add_and_fetch(&number, 1) == atol(chosen) && count > 1)
        count /= 2;
    return original(file, bytes, count);
}
"""


def half_writes(folder):
    """The library that halves a write."""
    source, library = folder / "half.c", folder / "half.so"
    source.write_text(HALF_WRITES)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def calls(arguments, folder):
    """How often each call is made by the thread that makes it most often, and what for."""
    log = folder / "strace.log"
    traced = bptt(arguments, folder, ["strace", "-f", "-o", str(log), "-e", "trace=" + ",".join(CALLS + OTHERS)])
    assert traced.returncode == 0, traced.stderr
    made = collections.defaultdict(list)
    for line in log.read_text(errors="replace").splitlines():
        if found := re.match(r"(\d+) +(\w+)\((.*)", line):
            thread, call, rest = found.groups()
            assert call not in OTHERS, line
            made[call, thread].append(rest)
    longest = {call: [] for call in CALLS}
    for (call, _), rests in made.items():
        longest[call] = max(longest[call], rests, key=len)
    return longest


class Sweep:
    def __init__(self, task, before, whole, library):
        """`before` is the folder in which the training is started anew each time."""
        self.task, self.before, self.whole, self.library = task, before, whole, library
        self.outcomes = collections.Counter()
        self.wrong = []

    def fault(self, case):
        call, number, fault, what = case
        folder = Path(tempfile.mkdtemp(prefix="bptt-fault-"))
        shutil.copytree(self.before, folder, dirs_exist_ok=True)
        arguments = training(SHORT[self.task], "run", folder)
        if fault == "half":
            command = ["env", f"LD_PRELOAD={self.library}", f"HALF_WRITE={number}"]
        else:
            inject = f"inject={call}:error={fault}:when={number}"
            command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
        failed = bptt(arguments, folder, command)
        on = bptt(training(SHORT[self.task], "run", folder), folder)
        lines = failed.stderr.splitlines()
        # A library of the system's that the loader cannot open: the program has not started.
        is_loader = failed.returncode == 127 and "loading shared libraries" in failed.stderr
        # The fault was that of the line itself.
        is_silent = call == "write" and re.match("[12],", what) is not None
        one_line = len(lines) == 1 and lines[0].startswith("error: ") and failed.returncode == 2
        outcome = "no effect" if failed.returncode == 0 else "one line"
        wrong = None
        if failed.returncode != 0 and not (one_line or is_loader or is_silent):
            wrong = f"ended with {failed.returncode}: {failed.stderr}"
        elif "panicked" in failed.stderr:
            wrong = failed.stderr
        elif failed.returncode == 0 and call in ("fsync", "rename") and fault != "EINTR":
            wrong = "nobody is told"
        elif on.returncode != 0:
            wrong = f"the run is lost: {on.stderr}; before: {failed.stderr}"
        elif differing := differences(folder / "run", self.whole):
            wrong = f"another run: {differing}; before: {failed.stderr}"
        shutil.rmtree(folder)
        return case, outcome, wrong, failed.stderr.strip()

    def sweep(self, chosen):
        folder = Path(tempfile.mkdtemp(prefix="bptt-calls-"))
        shutil.copytree(self.before, folder, dirs_exist_ok=True)
        made = calls(training(SHORT[self.task], "run", folder), folder)
        shutil.rmtree(folder)
        cases = [
            (call, number + 1, fault, what)
            for call in chosen
            for fault in FAULTS[call]
            for number, what in enumerate(made[call])
            # What the loader and the thread pool read of the system is none of the training's.
            if not re.match(r'AT_FDCWD, "/(sys|proc|etc|lib|lib64|usr)/', what)
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for case, outcome, wrong, line in pool.map(self.fault, cases):
                call, number, fault, what = case
                self.outcomes[call, fault, outcome] += 1
                if wrong:
                    self.wrong.append(case)
                    print(f"WRONG: {call} {number} {fault} ({what[:100]}): {wrong}", flush=True)
        self.cases = collections.Counter(call for call, _, fault, _ in cases if fault == "EIO")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=list(SHORT), action="append", help="which trainings [default: text]")
    parser.add_argument("--call", choices=CALLS, action="append", help="which calls [default: all]")
    chosen = parser.parse_args()
    workshop = Path(tempfile.mkdtemp(prefix="bptt-faults-"))
    library = half_writes(workshop)
    wrong = 0
    for task in chosen.task or ["text"]:
        base = workshop / task
        base.mkdir()
        write_data(base)
        shutil.copytree(base, workshop / f"{task}-whole")
        whole = workshop / f"{task}-whole" / "run"
        ended = bptt(training(SHORT[task], "run", whole.parent), whole.parent)
        assert ended.returncode == 0, ended.stderr
        # A run that goes on: the one in one piece, as it was at the last checkpoint but one.
        half = workshop / f"{task}-half"
        shutil.copytree(whole.parent, half)
        (half / "run/checkpoint/last.safetensors").unlink()
        for name, before in [("begins", base), ("goes on", half)]:
            sweep = Sweep(task, before, whole, library)
            sweep.sweep(chosen.call or CALLS)
            counts = ", ".join(f"{count} {call}" for call, count in sweep.cases.items())
            print(f"{task}, a training that {name}: {counts}")
            for call in chosen.call or CALLS:
                for fault in FAULTS[call]:
                    both = [sweep.outcomes[call, fault, outcome] for outcome in ("one line", "no effect")]
                    print(f"  {call:7} {fault:7} {both[0]:4} with one line, {both[1]:4} without effect", flush=True)
            wrong += len(sweep.wrong)
    shutil.rmtree(workshop)
    print("none lost, no panic" if wrong == 0 else f"{wrong} WRONG")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
