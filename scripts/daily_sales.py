#!/usr/bin/env python3
"""Three years of daily sales with a week, a trend, holidays and promotions that are known ahead: how far the default forecast is
from the least squares that knows what the sales were made of.

    cargo build --release && python scripts/daily_sales.py

Writes the sales for some seeds, trains `bptt train series … --horizon 14` with its defaults, and prints its RMSE on the test rows
beside that of least squares on intercept, trend, days of the week, promotion and holiday, fitted to the rows before the test, for the
same forecasts. Holidays and promotions are given twice: as columns of 0 and 1 (--future-known promotion --future-known holiday), and
as people have them: holidays by a file of their days and names (--holidays), the promotion as a word (none, flyer). Needs Python
3.9+ alone.
"""

import csv
import datetime
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BPTT = ROOT / "target/release/bptt"
HOLIDAYS = {(1, 1): "New Year", (1, 6): "Epiphany", (5, 1): "Labour Day", (8, 15): "Assumption", (10, 3): "Unity",
            (11, 1): "All Saints", (12, 24): "Christmas Eve", (12, 25): "Christmas", (12, 26): "Boxing Day", (12, 31): "New Year's Eve"}
VARIANTS = {
    "columns": ["--future-known", "promotion", "--future-known", "holiday"],
    "files": ["--future-known", "promotion", "--holidays", "holidays.csv"],
}
WEEK = [0.0, -12.0, -8.0, 5.0, 30.0, 70.0, 25.0]


def sales(seed):
    """Rows of date, sales, promotion, holiday."""
    draw = random.Random(seed)
    rows, left = [], 0
    for day in range(3 * 365):
        date = datetime.date(2021, 1, 1) + datetime.timedelta(days=day)
        if left == 0 and draw.random() < 0.03:
            left = draw.randint(2, 6)
        promotion, left = (1, left - 1) if left else (0, 0)
        holiday = int((date.month, date.day) in HOLIDAYS)
        value = 200 + 0.06 * day + WEEK[date.weekday()] + 80 * promotion - 90 * holiday + draw.gauss(0, 30)
        rows.append((date.isoformat(), round(value, 2), promotion, holiday))
    return rows


def solve(matrix, right):
    """Gauss, with pivots."""
    size = len(right)
    rows = [row[:] + [value] for row, value in zip(matrix, right)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(size):
            if row != column:
                factor = rows[row][column] / rows[column][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column])]
    return [rows[row][size] / rows[row][row] for row in range(size)]


def inputs(day, row):
    weekday = datetime.date.fromisoformat(row[0]).weekday()
    return [1.0, day / 1000] + [float(weekday == other) for other in range(6)] + [float(row[2]), float(row[3])]


def write(folder, variant, rows):
    """The files of a variant."""
    words = variant == "files"
    with open(folder / "sales.csv", "w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("date", "sales", "promotion") if words else ("date", "sales", "promotion", "holiday"))
        for date, value, promotion, holiday in rows:
            table.writerow((date, value, "flyer" if promotion else "none") if words else (date, value, promotion, holiday))
    with open(folder / "holidays.csv", "w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("date", "holiday"))
        table.writerows((datetime.date(year, *day), HOLIDAYS[day]) for year in range(2021, 2025) for day in sorted(HOLIDAYS))


def trained(variant, rows):
    """The errors of the method that is used, and the forecasts that were tested."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), variant, rows)
        command = [BPTT, "train", "series", "sales.csv", "--column", "sales", "--horizon", "14", *VARIANTS[variant], "--out", "run",
                   "--json", "--quiet"]
        report = json.loads(subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True).stdout)
        with open(f"{folder}/run/backtest.csv") as lines:
            tested = [(int(line["known_rows"]), int(line["step"])) for line in csv.DictReader(lines)]
        return report["columns"][0]["errors"][0], tested


def least_squares(rows, tested):
    """The RMSE of the least squares that knows what the sales were made of."""
    known = [inputs(day, row) for day, row in enumerate(rows[:tested[0][0]])]
    width = len(known[0])
    square = [[sum(x[i] * x[j] for x in known) for j in range(width)] for i in range(width)]
    right = [sum(x[i] * row[1] for x, row in zip(known, rows)) for i in range(width)]
    coefficients = solve(square, right)
    errors = []
    for origin, step in tested:
        day = origin + step - 1
        forecast = sum(c * x for c, x in zip(coefficients, inputs(day, rows[day])))
        errors.append((forecast - rows[day][1]) ** 2)
    return (sum(errors) / len(errors)) ** 0.5


def main():
    for variant in VARIANTS:
        ratios = []
        print(f"{variant}: bptt train series sales.csv {' '.join(VARIANTS[variant])}")
        print("seed  bptt  least squares  ratio")
        for seed in range(1, 6):
            rows = sales(seed)
            used, tested = trained(variant, rows)
            ours, theirs = used["root_mean_squared"], least_squares(rows, tested)
            ratios.append(ours / theirs)
            print(f"{seed:4}  {ours:.2f}  {theirs:13.2f}  {ours / theirs:.3f}   ({used['name']})", flush=True)
        print(f"mean ratio {sum(ratios) / len(ratios):.3f}, largest {max(ratios):.3f}\n")


if __name__ == "__main__":
    sys.exit(main())
