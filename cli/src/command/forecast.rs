//! `ketscale forecast`: what a load will be, how sure that is, and how the method did on the recent past.

mod csv_file;

use std::fmt::Write;

use jiff::Timestamp;
use ketscale_engine::forecast::{self, Accuracy, Evaluation, Forecast, Settings};
use ketscale_engine::series::Series;
use serde::Serialize;

use super::{json, past};
use crate::args::{ForecastArgs, Format};
use crate::exit::{Exit, Failure};
use crate::input::{self, name_of};
use crate::output;
use crate::report::table::{section, table};

/// Largest series file that is read.
const MAX_SERIES_BYTES: usize = 256 << 20;

/// Most steps that are forecast.
const MOST_STEPS: f64 = 10_000.0;

/// Most rows of values in the table for people.
const MOST_ROWS: usize = 24;

pub(super) fn run(args: &ForecastArgs) -> Result<Exit, Failure> {
    let (series, label) = series(args)?;
    show(args, &series, &label)?;
    Ok(Exit::Yes)
}

/// The history, and what its values are.
fn series(args: &ForecastArgs) -> Result<(Series, String), Failure> {
    past::refuse_stray(&args.range)?;
    if let Some(file) = &args.file {
        if args.problem.is_some() || args.service.is_some() {
            return Err(Failure::usage(
                "--problem and --service go with --prometheus, not with a file that has the history",
            ));
        }
        let bytes = input::read(file, MAX_SERIES_BYTES)?;
        let series = csv_file::read(&bytes, &name_of(file)).map_err(Failure::input)?;
        return Ok((series, "load (the file's unit)".to_owned()));
    }
    let (Some(url), Some(file), Some(service)) =
        (&args.range.prometheus, &args.problem, &args.service)
    else {
        return Err(Failure::usage(
            "--prometheus needs --problem and --service: whose load is it?",
        ));
    };
    let problem = input::problem(file)?;
    let mut names = problem.services.iter().map(|service| &service.name);
    if !names.any(|name| name == service) {
        let names: Vec<&str> = (problem.services.iter())
            .map(|service| service.name.as_str())
            .collect();
        return Err(Failure::input(format!(
            "{}: has no service {service:?}; expected one of {}",
            name_of(file),
            names.join(", ")
        )));
    }
    let mut past = past::read(&problem, url, &args.range)?;
    match past.history.load.remove(service) {
        Some(series) => Ok((series, format!("{service}, requests per second"))),
        None => Err(Failure::environment(format!(
            "{url} knows no load of {service} in that range; {}",
            past.gap(service).unwrap_or_default()
        ))),
    }
}

/// What is printed for programs.
#[derive(Serialize)]
struct Report {
    forecast: Forecast,
    settings: Settings,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation: Option<Evaluation>,
}

/// Forecasts a series, wherever it was read from, and shows the forecast in every way that was asked for.
fn show(args: &ForecastArgs, series: &Series, label: &str) -> Result<(), Failure> {
    let settings = Settings {
        quantile: args.quantile,
        ..Settings::default()
    };
    let mistakes = settings.mistakes();
    if !mistakes.is_empty() {
        return Err(Failure::usage(mistakes.join("\n")));
    }
    let forecast = forecast::forecast(series, steps(args.hours, series), &settings);
    if let Some(path) = &args.plot {
        let svg = forecast::chart(series, &forecast, label, &clock_time).map_err(Failure::bug)?;
        output::write_file(path, svg.as_bytes())?;
    }
    let evaluation = args.evaluate_hours.map(|hours| {
        let leads = [series.step_seconds, 900.0, 3600.0];
        forecast::evaluate(series, hours * 3600.0, &leads, &settings)
    });
    let report = Report {
        forecast,
        settings,
        evaluation,
    };
    output::print(match args.output {
        Format::Json => json(&report)?,
        Format::Table => shown(&report),
    })
}

/// Steps of a series in some hours, at least one.
fn steps(hours: f64, series: &Series) -> usize {
    let steps = (hours * 3600.0 / series.step_seconds)
        .ceil()
        .clamp(1.0, MOST_STEPS);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a small positive number"
    )]
    let steps = steps as usize;
    steps
}

fn shown(report: &Report) -> String {
    let Report {
        forecast,
        settings,
        evaluation,
    } = report;
    let mut text = format!("Method: {}\n\n", forecast.method);
    match &forecast.backtest {
        Some(backtest) => {
            let _ = writeln!(
                text,
                "On the last day, up to {} ahead: MAPE {} (naive {}), WAPE {} (naive {}).",
                span(backtest.horizon_seconds),
                percent(backtest.mape),
                percent(backtest.naive_mape),
                percent(backtest.wape),
                percent(backtest.naive_wape),
            );
            let _ = writeln!(
                text,
                "The interval held {} of the values (should be {}).\n",
                percent(Some(backtest.coverage)),
                percent(Some(backtest.nominal_coverage)),
            );
            let tried = backtest.tried.iter().map(|tried| {
                let seasons = tried.seasons_seconds.iter().map(|season| span(*season));
                let seasons: Vec<String> = seasons.collect();
                [
                    tried.method.to_string(),
                    seasons.join(", "),
                    percent(tried.mape),
                    percent(tried.wape),
                ]
            });
            text += &section(
                "Methods tried",
                &table(["method", "seasons", "MAPE", "WAPE"], tried, 2..=3),
            );
            text += "\n";
            text += &section("Backtest by lead", &accuracy(&backtest.by_lead));
        }
        None => {
            text += "Too few values for a backtest: the interval is the range of values seen.\n"
        }
    }
    if let Some(evaluation) = evaluation {
        text += "\n";
        text += &section("Held-out forecasts by lead", &accuracy(&evaluation.by_lead));
        let methods = evaluation.methods.iter();
        let methods = methods.map(|(method, times)| format!("{method} {times}"));
        let methods: Vec<String> = methods.collect();
        let _ = writeln!(
            text,
            "{} forecasts: {}",
            evaluation.forecasts,
            methods.join(", ")
        );
    }
    text += "\n";
    text + &section("Forecast", &values(forecast, settings.quantile))
}

fn accuracy(by_lead: &[Accuracy]) -> String {
    let rows = by_lead.iter().map(|accuracy| {
        [
            span(accuracy.lead_seconds),
            percent(accuracy.mape),
            percent(accuracy.naive_mape),
            percent(accuracy.wape),
            percent(accuracy.naive_wape),
            percent(Some(accuracy.coverage)),
            percent(Some(accuracy.upper_coverage)),
        ]
    });
    let header = [
        "lead",
        "MAPE",
        "naive MAPE",
        "WAPE",
        "naive WAPE",
        "within",
        "not above upper",
    ];
    table(header, rows, 1..=6)
}

/// The values, thinned to a page.
fn values(forecast: &Forecast, quantile: f64) -> String {
    let every = forecast.median.len().div_ceil(MOST_ROWS).max(1);
    let quantiles = forecast
        .lower
        .iter()
        .zip(&forecast.median)
        .zip(&forecast.upper);
    let rows = quantiles.enumerate().step_by(every);
    let rows = rows.map(|(index, ((lower, median), upper))| {
        let time = date_time(forecast.time_seconds(index));
        [time, number(*lower), number(*median), number(*upper)]
    });
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let header = [
        "time (UTC)".to_owned(),
        percent(1.0 - quantile),
        "median".to_owned(),
        percent(quantile),
    ];
    table(header, rows, 1..=3)
}

/// Four digits, whatever the size.
fn number(value: f64) -> String {
    if value == 0.0 || (0.001..1e7).contains(&value) {
        let decimals = if value >= 1000.0 {
            0
        } else if value >= 10.0 {
            1
        } else {
            3
        };
        format!("{value:.decimals$}")
    } else {
        format!("{value:.3e}")
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

/// A length of time in plain words.
fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.0} s")
    } else if seconds % 3600.0 != 0.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{} h", seconds / 3600.0)
    }
}

fn date_time(seconds: f64) -> String {
    formatted(seconds, "%Y-%m-%d %H:%M:%S")
}

fn clock_time(seconds: f64) -> String {
    formatted(seconds, "%a %d %b %H:%M")
}

/// Seconds themselves where they are no date.
fn formatted(seconds: f64, format: &str) -> String {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "saturates; what is no date stays a number"
    )]
    let whole = seconds.round() as i64;
    match Timestamp::from_second(whole) {
        Ok(time) => time.strftime(format).to_string(),
        Err(_) => format!("{seconds}"),
    }
}
