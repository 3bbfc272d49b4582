//! Forecasts from a run of `bptt train series`: the rows to come with intervals, and how far off each method was.
use bptt::report;
use bptt::train::series_forecast::ForecastOptions;
use bptt::train::series_run::SeriesRun;
use std::error::Error;
use std::path::Path;

pub fn forecast(run: &Path) -> Result<(), Box<dyn Error>> {
    let series = SeriesRun::open(run)?;
    let forecast = series.forecast(&ForecastOptions { steps: Some(6), ..Default::default() })?;
    for (c, column) in forecast.series.names.iter().enumerate() {
        for step in 0..forecast.outlook.steps {
            let mean = forecast.outlook.point[step * forecast.outlook.targets + c];
            let [lower, upper] = forecast.outlook.interval(step, c, 0.95);
            let date = forecast.date(step).unwrap_or_default();
            println!("{date} {column}: {mean:.1}, 95 % between {lower:.1} and {upper:.1}");
            assert!(lower < upper);
        }
    }
    for column in series.backtests()?.column_errors()? {
        println!("{}", column.verdict);
    }
    for file in report::write(run)?.files {
        println!("wrote {}", file.display());
    }
    Ok(())
}

#[allow(dead_code)] // A test calls the function above.
fn main() -> Result<(), Box<dyn Error>> {
    forecast(Path::new("runs/series"))
}
