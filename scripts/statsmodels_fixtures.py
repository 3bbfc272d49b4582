#!/usr/bin/env python3
"""Writes tests/fixtures/autoregression.json: AR models of the airline series by statsmodels' AutoReg.

    python scripts/statsmodels_fixtures.py

Needs Python 3.9+ and statsmodels (numpy and pandas come with it).
"""

import csv
import json
from pathlib import Path

import statsmodels
from statsmodels.tsa.ar_model import AutoReg, ar_select_order

ROOT = Path(__file__).resolve().parent.parent


def main():
    with open(ROOT / "data/airline_passengers.csv", newline="") as file:
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    values = [float(row[1]) for row in rows[1:]]
    models = []
    for lags in [1, 2, 3, 6, 12, 13, 24]:
        fit = AutoReg(values, lags, trend="c").fit()
        ahead = fit.predict(start=len(values), end=len(values) + 11)
        models.append(
            {
                "lags": lags,
                "coefficients": list(fit.params),
                "variance": float(fit.sigma2),
                "aic": float(fit.aic),
                "bic": float(fit.bic),
                "ahead": [float(value) for value in ahead],
            }
        )
    orders = {}
    for criterion in ["aic", "bic"]:
        chosen = ar_select_order(values, 24, ic=criterion, trend="c").ar_lags
        orders[criterion] = max(chosen)
    fixture = {"statsmodels": statsmodels.__version__, "models": models, "orders": orders}
    (ROOT / "tests/fixtures/autoregression.json").write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
