#!/usr/bin/env python3
"""Writes tests/fixtures/autoregression.json (AR models of the airline series by statsmodels' AutoReg) and
exponential_smoothing.json (its exponential smoothing by ETSModel with given parameters).

    python scripts/statsmodels_fixtures.py

Needs Python 3.9+ and statsmodels (numpy and pandas come with it).
"""

import csv
import json
from pathlib import Path

import numpy as np
import statsmodels
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
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
    (ROOT / "tests/fixtures/exponential_smoothing.json").write_text(
        json.dumps({"statsmodels": statsmodels.__version__, "models": smoothings(values)}, indent=1) + "\n"
    )


def smoothings(values):
    """ETS(A,Ad,A), ETS(A,Ad,N) and ETS(A,N,A) of the series and its logarithms, by parameters that nobody fitted."""
    models = []
    level, trend, season, damping = 0.4, 0.2, 0.3, 0.95
    for log in [False, True]:
        series = np.log(values) if log else np.array(values)
        for has_trend, m in [(True, 12), (True, 1), (False, 12)]:
            start_level, start_trend = float(series[:12].mean()), 0.01 * float(series[0]) if has_trend else 0.0
            start_season = [float(x) for x in series[:12] - series[:12].mean()] if m > 1 else [0.0]
            model = ETSModel(
                series,
                error="add",
                trend="add" if has_trend else None,
                damped_trend=has_trend,
                seasonal="add" if m > 1 else None,
                seasonal_periods=m if m > 1 else None,
                initialization_method="known",
                initial_level=start_level,
                initial_trend=start_trend if has_trend else None,
                initial_seasonal=start_season if m > 1 else None,
            )
            # statsmodels has the products as parameters.
            parameters = {
                "smoothing_level": level,
                "smoothing_trend": level * trend,
                "smoothing_seasonal": season * (1 - level),
                "damping_trend": damping,
            }
            values_of = [parameters[name] for name in model.param_names if name in parameters]
            fit = model.smooth(values_of)
            models.append(
                {
                    "log": log,
                    "level": level,
                    "trend": trend if has_trend else 0.0,
                    "season": season if m > 1 else 0.0,
                    "damping": damping if has_trend else 1.0,
                    "start_level": start_level,
                    "start_trend": start_trend,
                    "start_season": start_season,
                    "squares": float(np.sum(fit.resid**2)),
                    "ahead": [float(x) for x in fit.forecast(15)],
                }
            )
    return models


if __name__ == "__main__":
    main()
