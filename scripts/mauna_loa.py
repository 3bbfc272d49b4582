#!/usr/bin/env python3
"""Writes data/mauna_loa_co2.csv: the weekly concentration of carbon dioxide in the air on Mauna Loa.

    python scripts/mauna_loa.py

The data are in the public domain and come with statsmodels. Weeks without a measurement, 59 of 2284, are filled along a
line between their neighbours; a last column says which.
Needs Python 3.9+ and statsmodels (numpy and pandas come with it).
"""

from pathlib import Path

import statsmodels.api as sm

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Carbon dioxide in the air on Mauna Loa, parts per million by volume, weekly, March 1958 to December 2001.
# C. D. Keeling and T. P. Whorf, "Atmospheric CO2 concentrations derived from flask air samples at sites in the SIO
# network", Trends: A Compendium of Data on Global Change, Carbon Dioxide Information Analysis Center, Oak Ridge
# National Laboratory, 2004. Public domain. Written by scripts/mauna_loa.py; in the weeks with filled = 1 nothing was
# measured, and the value is on the line between those around it.
"""


def main():
    measured = sm.datasets.co2.load_pandas().data["co2"]
    filled = measured.interpolate("linear")
    with open(ROOT / "data/mauna_loa_co2.csv", "w", newline="\n") as file:
        file.write(HEADER + "date,co2,filled\n")
        for date, value in filled.items():
            missing = int(measured.isna()[date])
            file.write(f"{date:%Y-%m-%d},{round(value, 2):g},{missing}\n")


if __name__ == "__main__":
    main()
