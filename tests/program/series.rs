//! The promises of `bptt train series` and `bptt forecast`: errors that are what they say, a folder that forecasts by
//! itself, the same bits after any end, and an honest word where nothing is to be learnt.

use crate::checkpoint::checkpoint;
use crate::page;
use crate::start::{bptt, json, kill_and_resume};
use bptt::backend::Backend;
use bptt::data::series::Series;
use bptt::nn::Random;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Header and rows of CSV.
fn table(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(bytes);
    let cells = |record: &csv::StringRecord| record.iter().map(String::from).collect();
    let header = cells(reader.headers().unwrap());
    (header, reader.records().map(|record| cells(&record.unwrap())).collect())
}

const YEAR: [&str; 12] = [
    "train",
    "series",
    "--horizon",
    "12",
    "--log",
    "--seasonal-difference",
    "--epochs",
    "12",
    "--hidden",
    "8",
    "--window",
    "13",
];

#[test]
fn a_year_of_passengers_is_learnt_forecast_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let result = json(&[&YEAR[..], &["--json", "--quiet", "--out", "a"]].concat(), folder);
    assert_eq!(
        (&result["task"], &result["epochs"], &result["done"]),
        (&"series".into(), &12.into(), &true.into())
    );
    let baselines: Vec<&String> = result["baselines"].as_object().unwrap().keys().collect();
    assert_eq!(baselines, ["ar", "combination", "last_value", "season_ago", "smoothing"]);
    for file in
        ["config.toml", "data.toml", "series.csv", "metrics.jsonl", "report.html", "backtest.csv"]
            .into_iter()
            .chain([
                "forecast.png",
                "forecast.svg",
                "backtest.png",
                "error_by_step.svg",
                "learning_curve.png",
                "flow.png",
                "importance.png",
            ])
    {
        assert!(folder.join("a").join(file).exists(), "{file}");
    }

    // What the forecast listens to: the month itself and the one a year ago, of whose difference the methods are.
    let input = &result["importance"][0]["inputs"][0];
    assert_eq!(input["input"], "passengers");
    let lags: Vec<f64> = input["lags"].as_array().unwrap().iter().map(number).collect();
    assert!(lags.len() >= 13 && lags[11] + lags[12] > 5.0 * (lags[14] + lags[15]), "{lags:?}");
    assert!((lags.iter().sum::<f64>() / number(&input["size"]) - 1.0).abs() < 1e-9);

    // The errors that are printed are those of the forecasts that are written.
    let (header, rows) = table(&std::fs::read(folder.join("a/backtest.csv")).unwrap());
    assert_eq!(header[..5], ["known_rows", "step", "row", "column", "actual"]);
    assert_eq!(header[5], *result["method"].as_str().unwrap(), "what is used is the first");
    assert_eq!(rows.len(), 11 * 12, "from 122 to 132 known rows");
    let values = &Series::airline_passengers().values[0];
    let cell = |row: &[String], column: usize| row[column].parse::<f64>().unwrap();
    for (e, errors) in result["columns"][0]["errors"].as_array().unwrap().iter().enumerate() {
        let mut squares = [0.0; 12];
        let (mut absolute, mut relative) = (0.0, 0.0);
        assert_eq!(errors["forecast"], *header[5 + e]);
        for row in &rows {
            let (origin, step) = (cell(row, 0) as usize, cell(row, 1) as usize);
            assert_eq!(cell(row, 4), values[origin + step - 1]);
            match errors["forecast"].as_str().unwrap() {
                "last_value" => assert!((cell(row, 5 + e) - values[origin - 1]).abs() < 1e-9),
                "season_ago" => {
                    assert!((cell(row, 5 + e) - values[origin + step - 13]).abs() < 1e-9);
                }
                _ => {}
            }
            let error = cell(row, 5 + e) - cell(row, 4);
            squares[step - 1] += error * error;
            absolute += error.abs();
            relative += 2.0 * error.abs() / (cell(row, 5 + e) + cell(row, 4));
        }
        let near = |said: &Value, found: f64| {
            assert!((number(said) - found).abs() < 1e-9 * found, "{errors}: {found}");
        };
        for (step, squares) in squares.iter().enumerate() {
            near(&errors["root_mean_squared_by_step"][step], (squares / 11.0).sqrt());
        }
        near(&errors["root_mean_squared"], (squares.iter().sum::<f64>() / 132.0).sqrt());
        near(&errors["mean_absolute"], absolute / 132.0);
        near(&errors["symmetric_percentage"], relative / 132.0);
        let seasonal: f64 =
            (12..86).map(|t| (values[t] - values[t - 12]).abs()).sum::<f64>() / 74.0;
        near(&errors["scaled"], absolute / 132.0 / seasonal);
    }

    // The forecast goes on with the calendar, and its intervals lie in each other.
    let csv = bptt(&["forecast", "a", "--steps", "15", "--level", "0.95,0.5,0.8"], folder);
    assert!(csv.status.success());
    let (header, rows) = table(&csv.stdout);
    assert_eq!(
        header,
        [
            "step", "date", "column", "mean", "lower_50", "upper_50", "lower_80", "upper_80",
            "lower_95", "upper_95"
        ]
    );
    assert_eq!(rows.len(), 15);
    assert_eq!((rows[0][1].as_str(), rows[14][1].as_str()), ("1961-01", "1962-03"));
    for row in &rows {
        let ends: Vec<f64> = [8, 6, 4, 5, 7, 9].map(|column| cell(row, column)).into();
        assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "{row:?}");
    }
    let forecast = json(&["forecast", "a", "--steps", "15", "--json"], folder);
    for (row, said) in rows.iter().zip(forecast["rows"].as_array().unwrap()) {
        for (column, key) in [(3, "mean"), (8, "lower"), (9, "upper")] {
            // The reader of JSON rounds the last digit.
            assert!((cell(row, column) - number(&said[key])).abs() < 1e-12 * cell(row, column));
        }
    }
    // Summer is higher than winter, and next year not far from this one.
    assert!(cell(&rows[6], 3) > 1.2 * cell(&rows[1], 3));
    assert!((0.9..1.4).contains(&(cell(&rows[6], 3) / values[138])));
    let naive =
        json(&["forecast", "a", "--steps", "13", "--method", "season-ago", "--json"], folder);
    assert!((number(&naive["rows"][12]["mean"]) - values[132]).abs() < 1e-9);
    let written = ["forecast", "a", "--out", "said.csv", "--picture", "said"];
    assert!(bptt(&written, folder).stdout.is_empty());
    assert_eq!(table(&std::fs::read(folder.join("said.csv")).unwrap()).1.len(), 12);
    assert!(folder.join("said.png").exists());

    // The folder suffices, wherever it is.
    std::fs::rename(folder.join("a"), folder.join("b")).unwrap();
    let moved = json(&["forecast", "b", "--steps", "15", "--json"], folder);
    assert_eq!(moved["rows"], forecast["rows"]);
    std::fs::remove_file(folder.join("b/report.html")).unwrap();
    assert!(bptt(&["report", "b"], folder).status.success());
    assert_eq!(page::check_all(&folder.join("b")), 1);
    let page = std::fs::read_to_string(folder.join("b/report.html")).unwrap();
    for part in [
        "Error by step ahead",
        "MASE",
        "How far back it listens",
        "<svg",
        "AR(",
        "bptt forecast",
        "seasonal-difference = true",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let list = json(&["runs", ".", "--json"], folder);
    assert_eq!(
        (&list["rows"][0]["task"], &list["rows"][0]["epochs"]),
        (&"series".into(), &12.into())
    );

    // A configuration repeats the run.
    let again = ["train", "series", "--config", "b/config.toml", "--quiet", "--json", "--out", "c"];
    json(&again, folder);
    for name in ["last", "best"] {
        assert_eq!(checkpoint(&folder.join("b"), name), checkpoint(&folder.join("c"), name));
    }
}

#[test]
fn a_training_that_is_killed_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let more =
        ["--layers", "2", "--dropout", "0.2", "--calendar", "month", "--checkpoint-every", "3"];
    kill_and_resume(&[&YEAR[..], &more].concat(), folder, 10, |run| {
        ["last", "best"].map(|name| checkpoint(run, name))
    });
}

/// Networks that are averaged: other ones than one alone, the same for any number of threads, resumed and forecast by.
#[test]
fn an_ensemble_is_the_mean_of_other_networks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = |more: &[&str]| json(&[&YEAR[..], &["--json", "--quiet"], more].concat(), folder);
    let alone = train(&["--out", "one"]);
    let three = train(&["--ensemble", "3", "--threads", "1", "--out", "three"]);
    train(&["--ensemble", "3", "--threads", "2", "--out", "again"]);
    let checkpoints = |run: &str| weights(&folder.join(run).join("checkpoint/best.safetensors"));
    let names = |run: &str| {
        let all = checkpoints(run).into_iter().map(|(name, _)| name);
        all.filter(|name| !name.starts_with("training.")).collect::<Vec<_>>()
    };
    let own = |member: usize| {
        let prefix = format!("members.{member}.");
        let all = checkpoints("three").into_iter();
        all.filter_map(|(name, bytes)| Some((name.strip_prefix(&prefix)?.to_string(), bytes)))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("three").len(), 3 * names("one").len());
    assert!(own(0) != own(1) && own(1) != own(2) && own(0).len() == names("one").len());
    assert!(checkpoints("three") == checkpoints("again"), "threads change bits");
    assert_ne!(alone["valid_loss"], three["valid_loss"]);
    let named = |errors: &Value| errors["name"].as_str().unwrap().ends_with("8 units, mean of 3");
    assert!(three["columns"][0]["errors"].as_array().unwrap().iter().any(named));

    // Half of the epochs and then the others are all of them.
    let mut half = YEAR;
    half[7] = "6";
    let more = ["--json", "--quiet", "--ensemble", "3", "--out", "half"];
    assert_eq!(json(&[&half[..], &more].concat(), folder)["epochs"], 6);
    let resumed = train(&["--ensemble", "3", "--resume", "half"]);
    assert_eq!(resumed["epochs"], 12);
    let forecast = |run: &str| {
        json(&["forecast", run, "--method", "network", "--json", "--picture", "p"], folder)
    };
    let rows = forecast("three")["rows"].clone();
    assert_eq!(rows, forecast("again")["rows"]);
    assert_ne!(rows, forecast("one")["rows"]);
    let done = bptt(&[&YEAR[..], &["--resume", "three", "--ensemble", "2"]].concat(), folder);
    let line = String::from_utf8_lossy(&done.stderr).to_string();
    assert!(done.status.code() == Some(2) && line.contains("--ensemble"), "{line}");
    let done = bptt(&["report", "three"], folder);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn backends_and_paths_agree() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut all = Vec::new();
    let by_hand = Backend::available().into_iter().map(|backend| (backend, "manual"));
    for (backend, gradient) in by_hand.chain([(Backend::default(), "autodiff")]) {
        let backend = &backend.to_string();
        let more =
            ["--dtype", "f64", "--backend", backend, "--gradient", gradient, "--cell", "gru"];
        let run = format!("{backend}-{gradient}");
        let result =
            json(&[&YEAR[..], &more, &["--quiet", "--json", "--out", &run]].concat(), folder);
        let forecast = json(&["forecast", &run, "--json"], folder);
        let rows = forecast["rows"].as_array().unwrap();
        let rows =
            rows.iter().flat_map(|row| ["mean", "lower", "upper"].map(|key| number(&row[key])));
        all.push(rows.chain([number(&result["valid_loss"])]).collect::<Vec<f64>>());
    }
    for other in &all[1..] {
        for (a, b) in all[0].iter().zip(other) {
            assert!((a - b).abs() < 1e-8 * b.abs(), "{a} {b}");
        }
    }
}

/// A walk of so many rows, each a normal number from the one before, as CSV with weekdays.
fn walk(rows: usize, seed: u64) -> String {
    let mut random = Random::seed_from_u64(seed);
    let (mut price, mut day) = (0.0, jiff::civil::date(2015, 1, 1));
    let mut text = "date,price\n".to_string();
    for _ in 0..rows {
        let noise: f64 = StandardNormal.sample(&mut random);
        price += 0.01 * noise;
        text += &format!("{day},{}\n", 100.0 * f64::exp(price));
        let weekend = day.weekday() == jiff::civil::Weekday::Friday;
        day = day.saturating_add(jiff::Span::new().days(if weekend { 3 } else { 1 }));
    }
    text
}

/// Of four walks, on most of which nothing can beat the last value by more than luck, what is printed is true.
#[test]
fn where_nothing_is_to_be_learnt_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut honest = 0;
    for seed in 1..=4 {
        std::fs::write(folder.join("walk.csv"), walk(600, seed)).unwrap();
        let arguments = [
            "train",
            "series",
            "walk.csv",
            "--log",
            "--difference",
            "1",
            "--horizon",
            "5",
            "--epochs",
            "6",
            "--quiet",
        ];
        let text = String::from_utf8(bptt(&arguments, folder).stdout).unwrap();
        let result = json(&[&arguments[..], &["--json"]].concat(), folder);
        let errors = result["columns"][0]["errors"].as_array().unwrap();
        let rmse = |place: usize| number(&errors[place]["root_mean_squared"]);
        let last = errors.iter().position(|errors| errors["forecast"] == "last_value").unwrap();
        let places = 0..errors.len();
        let best = places.min_by(|&a, &b| rmse(a).total_cmp(&rmse(b))).unwrap();
        let is_beaten = rmse(best) < 0.99 * rmse(last);
        assert_eq!(text.contains("nothing beats the last value"), !is_beaten, "{text}");
        // Nothing is far from it.
        assert!(rmse(best) > 0.97 * rmse(last) && rmse(0) < 1.06 * rmse(last), "{text}");
        honest += usize::from(!is_beaten);
    }
    assert!(honest >= 2, "{honest}");
    let forecast = json(&["forecast", "runs/series", "--steps", "10", "--json"], folder);
    let dates: Vec<&str> = forecast["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["date"].as_str().unwrap())
        .collect();
    assert_eq!(dates.len(), 10);
    for date in dates {
        let day: jiff::civil::Date = date.parse().unwrap();
        assert!(day.weekday().to_monday_zero_offset() < 5, "{date}");
    }
}

/// The forecast of AR(0) of differences is the last value and the mean change of the rows before.
#[test]
fn ar_by_itself_is_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arguments = [
        &["train", "series", "--cell", "ar", "--lags", "0", "--difference", "1", "--log=false"][..],
        &["--seasonal-difference=false", "--json"],
    ]
    .concat();
    let result = json(&arguments, folder);
    let keys: Vec<&String> = result["baselines"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["combination", "last_value", "season_ago", "smoothing"]);
    assert_eq!(result["epochs"], 0);
    let values = &Series::airline_passengers().values[0];
    let drift = (values[143] - values[0]) / 143.0;
    let forecast = ["forecast", "runs/series", "--steps", "3", "--method", "ar", "--json"];
    let forecast = json(&forecast, folder);
    for (step, row) in (1..).zip(forecast["rows"].as_array().unwrap()) {
        let expected = values[143] + f64::from(step) * drift;
        assert!((number(&row["mean"]) - expected).abs() < 1e-9, "{row} {expected}");
    }
    // It is fitted again every third of the 22 months that test, to the months before.
    let mean_square: f64 = (122..144)
        .map(|t| {
            let known = 122 + (t - 122) / 3 * 3;
            let drift = (values[known - 1] - values[0]) / (known - 1) as f64;
            (values[t] - values[t - 1] - drift).powi(2) / 22.0
        })
        .sum();
    let errors = result["columns"][0]["errors"].as_array().unwrap();
    let ar = errors.iter().find(|errors| errors["forecast"] == "ar").unwrap();
    assert!((number(&ar["root_mean_squared"]) - mean_square.sqrt()).abs() < 1e-9);
    assert!(!folder.join("runs/series/learning_curve.png").exists());
    assert!(bptt(&["report", "runs/series"], folder).status.success());
    let listed = &json(&["runs", "--json"], folder)["rows"][0];
    assert_eq!((&listed["cell"], &listed["done"]), (&"ar".into(), &true.into()));
    let plain = ["--difference", "0", "--log=false", "--seasonal-difference=false"];
    let chosen = ["train", "series", "--cell", "ar", "--json", "--out", "b"];
    let result = json(&[&chosen[..], &plain].concat(), folder);
    let errors = result["columns"][0]["errors"].as_array().unwrap();
    assert!(errors.iter().any(|errors| errors["name"] == "AR(13)"), "{result}");
}

/// What is forecast is what another column said a row before: to be seen by who reads that column.
#[test]
fn exogenous_columns_and_several_targets() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut random = Random::seed_from_u64(5);
    let mut text = "sign,a,b\n".to_string();
    let mut before = 0.0;
    for _ in 0..400 {
        let sign: f64 = StandardNormal.sample(&mut random);
        let noise: f64 = StandardNormal.sample(&mut random);
        text += &format!("{sign},{},{}\n", 10.0 + before + 0.1 * noise, -3.0 * before);
        before = sign;
    }
    std::fs::write(folder.join("signs.csv"), text).unwrap();
    let fixed = [
        "train",
        "series",
        "signs.csv",
        "--epochs",
        "20",
        "--window",
        "6",
        "--lr",
        "0.01",
        "--quiet",
        "--json",
    ];
    let knowing = json(&[&fixed[..], &["--exogenous", "sign"]].concat(), folder);
    let loss = |result: &Value| number(&result["valid_loss"]);
    assert!(loss(&knowing) < 0.1 * number(&knowing["baselines"]["ar"]), "{knowing}");
    let names: Vec<&Value> =
        knowing["columns"].as_array().unwrap().iter().map(|c| &c["column"]).collect();
    assert_eq!(names, ["a", "b"]);
    for picture in ["forecast_1.png", "forecast_2.svg", "backtest_1.png", "backtest_2.png"] {
        assert!(folder.join("runs/series").join(picture).exists(), "{picture}");
    }
    let output = bptt(&["forecast", "runs/series", "--steps", "2"], folder);
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: sign held"));
    let (header, rows) = table(&output.stdout);
    assert_eq!(header[..3], ["step", "column", "mean"]);
    let places: Vec<_> = rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    assert_eq!(places, [("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")]);
    // The last sign says what comes.
    let mean = |row: usize| rows[row][2].parse::<f64>().unwrap();
    assert!(
        (mean(0) - 10.0 - before).abs() < 0.5 && (mean(1) + 3.0 * before).abs() < 1.0,
        "{rows:?} {before}"
    );
    let blind =
        json(&[&fixed[..], &["--column", "a", "--column", "b", "--out", "blind"]].concat(), folder);
    assert!(loss(&blind) > 5.0 * loss(&knowing));
}

/// A run forecasts from later rows without training.
#[test]
fn later_rows_are_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = include_str!("../../data/airline_passengers.csv");
    let earlier: Vec<&str> = text.lines().take(1 + 120).collect();
    std::fs::write(folder.join("all.csv"), text).unwrap();
    std::fs::write(folder.join("earlier.csv"), earlier.join("\n")).unwrap();
    let fixed = [&YEAR[..2], &["earlier.csv"], &YEAR[2..]].concat();
    json(&[&fixed[..], &["--json", "--quiet"]].concat(), folder);
    let values = &Series::airline_passengers().values[0];
    let forecast = json(&["forecast", "runs/series", "--from", "all.csv", "--json"], folder);
    assert_eq!(forecast["rows"][0]["date"], "1961-01");
    let naive =
        ["forecast", "runs/series", "--from", "all.csv", "--method", "last-value", "--json"];
    let naive = json(&naive, folder);
    assert!((number(&naive["rows"][0]["mean"]) - values[143]).abs() < 1e-9);
    // The errors of its backtest, in percent as logarithms are, whatever the level is now.
    let before = ["forecast", "runs/series", "--method", "last-value", "--json"];
    let before = json(&before, folder);
    let ratio = |said: &Value| number(&said["rows"][0]["upper"]) / number(&said["rows"][0]["mean"]);
    assert!(
        (ratio(&naive) - ratio(&before)).abs() < 1e-9 && ratio(&naive) > 1.05,
        "{naive} {before}"
    );
    // The season is what monthly dates suggest.
    let config = std::fs::read_to_string(folder.join("runs/series/config.toml")).unwrap();
    assert!(config.contains("season = 12"), "{config}");
    // Its own rows again are its own end.
    let own = json(&["forecast", "runs/series", "--json"], folder);
    let same = json(&["forecast", "runs/series", "--from", "earlier.csv", "--json"], folder);
    assert_eq!(own["rows"], same["rows"]);
    assert_eq!(own["rows"][0]["date"], "1959-01");
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let rows = |from: usize, to: usize| -> String {
        let day = |t| jiff::civil::date(2020, 1, 1).saturating_add(jiff::Span::new().days(t));
        (from..to).map(|t| format!("{},{},{}\n", day(t as i64), 50 + t * t % 37, 2 * t)).collect()
    };
    write("good.csv", &format!("day,x,y\n{}", rows(0, 112)));
    write("gap.csv", &format!("day,x,y\n{}{}", rows(0, 20), rows(40, 112)));
    write("zero.csv", &format!("day,x,y\n{}2020-04-22,0,9\n", rows(0, 112)));
    write("other.csv", &format!("day,z,y\n{}", rows(0, 112)));
    write("short.csv", &format!("day,x,y\n{}", rows(0, 5)));
    write("plain.csv", &(0..60).map(|t| format!("{}\n", t * t * t % 101)).collect::<String>());
    let fixed =
        ["train", "series", "good.csv", "--epochs", "1", "--quiet", "--calendar", "day-of-month"];
    assert!(bptt(&[&fixed[..], &["--out", "run"]].concat(), folder).status.success());
    let flat = ["train", "series", "plain.csv", "--cell", "ar", "--quiet", "--out", "flat"];
    assert!(bptt(&flat, folder).status.success());
    let copied = |name: &str, file: &str, change: &dyn Fn(String) -> String| {
        std::fs::create_dir_all(folder.join(name).join("checkpoint")).unwrap();
        for file in ["config.toml", "data.toml", "series.csv", "checkpoint/best.safetensors"] {
            std::fs::copy(folder.join("run").join(file), folder.join(name).join(file)).unwrap();
        }
        let path = folder.join(name).join(file);
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
    };
    copied("torn", "series.csv", &|text| text.replace("50", "51"));
    copied("wider", "config.toml", &|text| text.replace("hidden = 32", "hidden = 33"));
    copied("none", "config.toml", &|text| text.replace("stride = 1", "stride = 0"));
    copied("far", "config.toml", &|text| text.replace("horizon = 1", "horizon = 99"));
    copied("log", "config.toml", &|text| text.replace("log = false", "log = true"));
    copied("narrow", "data.toml", &|text| {
        text.replace("names = [\"x\", \"y\"]", "names = [\"x\"]")
    });
    copied("strange", "config.toml", &|text| format!("surplus = 1\n{text}"));
    std::fs::create_dir(folder.join("empty")).unwrap();
    let config = || std::fs::read(folder.join("run/config.toml")).unwrap();
    let before = config();
    for (arguments, parts) in [
        (&["train", "series", "zero.csv", "--log"][..], &["column 'x'", "row 113 is 0"][..]),
        (&["train", "series", "--difference", "3"], &["--difference", "0, 1 or 2"]),
        (
            &["train", "series", "plain.csv", "--seasonal-difference"],
            &["--seasonal-difference", "--season"],
        ),
        (
            &["train", "series", "--seasonal-difference", "--season", "100", "--window", "24"],
            &["100", "86"],
        ),
        (
            &["train", "series", "good.csv", "--calendar", "week"],
            &["'week' is none of", "day-of-week"],
        ),
        (
            &["train", "series", "plain.csv", "--calendar", "auto"],
            &["--calendar", "no column of dates"],
        ),
        (
            &["train", "series", "gap.csv", "--calendar", "auto"],
            &["gap.csv, line 22, column 'day': 2020-01-21 is missing", "19 others", "--missing"],
        ),
        (&["train", "series", "--horizon", "0"], &["--horizon"]),
        (&["train", "series", "--horizon", "137"], &["144 rows leave less than 8", "137"]),
        (&["train", "series", "--horizon", "36", "--window", "90"], &["126", "72"]),
        (
            &["train", "series", "--cell", "ar", "--horizon", "137"],
            &["144 rows leave less than 8", "137"],
        ),
        (&["train", "series", "--valid-share", "0.6", "--test-share", "0.5"], &["144 rows leave"]),
        (&["train", "series", "--stride", "0"], &["--stride"]),
        (&["train", "series", "--lags", "many"], &["--lags", "auto"]),
        (&["train", "series", "--lags", "70"], &["--lags", "70 lags", "142"]),
        (&["train", "series", "good.csv", "--exogenous", "z"], &["no column 'z'"]),
        (
            &["train", "series", "good.csv", "--exogenous", "x", "--exogenous", "y"],
            &["leave one to forecast"],
        ),
        (&["train", "series", "--exogenous", "x"], &["--exogenous", "FILE"]),
        (&["train", "series", "--resume", "nowhere"], &["nowhere"]),
        (&["train", "series", "--resume", "run", "--horizon", "3"], &["--resume", "--horizon"]),
        (&["train", "series", "--resume", "run", "--cell", "ar"], &["--resume", "--cell"]),
        (
            &["train", "series", "other.csv", "--resume", "run"],
            &["data of the run run have changed"],
        ),
        (&["forecast", "nowhere"], &["nowhere"]),
        (&["forecast", "empty"], &["empty/config.toml"]),
        (&["forecast", "torn"], &["series.csv", "checksum"]),
        (&["forecast", "wider"], &["wider", "changed by hand"]),
        (&["forecast", "none"], &["the run none was changed", "a size"]),
        (&["forecast", "far"], &["the run far was changed", "more rows"]),
        (&["report", "log"], &["the run log was changed", "transforms"]),
        (&["report", "narrow"], &["the run narrow was changed", "columns"]),
        (&["forecast", "strange"], &["unknown key 'surplus'"]),
        (&["forecast", "run", "--steps", "0"], &["--steps"]),
        (&["forecast", "run", "--level", "1.5"], &["--level", "between 0 and 1"]),
        (
            &["forecast", "run", "--method", "magic"],
            &["--method", "combination, network, ar, smoothing, last-value", "'magic'"],
        ),
        (&["forecast", "flat", "--method", "season-ago"], &["'season-ago'"]),
        (&["forecast", "run", "--from", "other.csv"], &["other.csv", "z, y", "x, y"]),
        (
            &["forecast", "run", "--from", "short.csv", "--method", "network"],
            &["short.csv: column 'x'", "first 7 of 5 rows"],
        ),
        (&["forecast", "run", "--from", "gap.csv"], &["gap.csv, line 22", "--missing"]),
        (&["forecast", "run", "--out", "absent/said.csv"], &["absent/said.csv"]),
        (&["forecast", "run", "--picture", "absent/said"], &["absent"]),
        (&["report", "torn"], &["series.csv", "checksum"]),
        (&["generate", "run"], &["is one of series", "not generate"]),
    ] {
        let output = bptt(arguments, folder);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{arguments:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: no '{part}' in: {said}");
        }
        assert!(!folder.join("runs").exists(), "{arguments:?} wrote something");
    }
    assert_eq!(config(), before);
}

/// What is chosen knows nothing of the rows that test: whatever they are, flags, weights, epochs and shares are the same bits.
#[test]
fn no_choice_sees_the_test_rows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let values = &Series::airline_passengers().values[0];
    let rows = |value: &dyn Fn(usize) -> f64| -> String {
        (0..144).map(|row| format!("{}\n", value(row))).collect()
    };
    // The last 22 rows test.
    let wild = |row: usize| match row {
        122.. => 3.0 + 1e5 * ((row * row) % 7) as f64,
        _ => values[row],
    };
    std::fs::write(folder.join("a.csv"), rows(&|row| values[row])).unwrap();
    std::fs::write(folder.join("b.csv"), rows(&wild)).unwrap();
    let [a, b] = ["a", "b"].map(|name| {
        let file = format!("{name}.csv");
        let train = ["train", "series", &file, "--horizon", "6", "--epochs", "8"];
        json(&[&train[..], &["--out", name, "--json", "--quiet"]].concat(), folder)
    });
    for key in ["chosen", "method", "combination", "train_loss", "valid_loss", "baselines"] {
        assert_eq!(a[key], b[key], "{key}");
    }
    assert!(a["chosen"].as_str().unwrap().contains("--season 12"), "{a}");
    assert_ne!(a["columns"], b["columns"]);
    let [a, b] = ["a", "b"].map(|name| {
        let run = folder.join(name);
        let lines = std::fs::read(run.join("metrics.jsonl")).unwrap();
        (lines, weights(&run.join("checkpoint/best.safetensors")))
    });
    assert!(a == b, "the epochs or the weights of the network");
}

/// The tensors of a checkpoint by name, to the bit.
fn weights(file: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = tensors.tensors().into_iter();
    let mut tensors: Vec<_> =
        tensors.map(|(name, tensor)| (name, tensor.data().to_vec())).collect();
    tensors.sort();
    tensors
}

/// Rows that are too few for three parts, or for a network, are forecast, and a line says what is missing.
#[test]
fn a_short_series_says_what_it_gives_up() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = include_str!("../../data/airline_passengers.csv");
    let first: Vec<&str> = text.lines().take(1 + 72).collect();
    std::fs::write(folder.join("short.csv"), first.join("\n")).unwrap();
    let output = bptt(&["train", "series", "short.csv", "--horizon", "24"], folder);
    let [said, shown] =
        [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{said}");
    assert!(said.contains("72 rows are too few for a test"), "{said}");
    assert!(shown.contains("72 rows: 48 train, 24 validate, 0 test"), "{shown}");
    let forecast = json(&["forecast", "runs/series", "--json"], folder);
    assert_eq!(forecast["rows"].as_array().unwrap().len(), 24);
}
