//! A forecast as a picture.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Forecast;
use crate::series::Series;

/// Width and height in pixels.
const SIZE: (u32, u32) = (960, 420);

/// Of what was measured.
const MEASURED: RGBColor = RGBColor(60, 60, 60);

/// Of what is forecast.
const AHEAD: RGBColor = RGBColor(31, 102, 178);

/// An SVG with the end of a series (three times as long as the forecast, at least a day), the median and the interval. `label` says what the values are, with
/// their unit, and `clock` how a time in seconds is written below the axis. `Err` says what the plotting library refused.
pub fn chart(
    series: &Series,
    forecast: &Forecast,
    label: &str,
    clock: &dyn Fn(f64) -> String,
) -> Result<String, String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area, series, forecast, label, clock).map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

type Error<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

fn draw<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    series: &Series,
    forecast: &Forecast,
    label: &str,
    clock: &dyn Fn(f64) -> String,
) -> Result<(), Error<'a>> {
    area.fill(&WHITE)?;
    let end = forecast.time_seconds(forecast.median.len());
    let ahead = end - forecast.start_seconds;
    let begin = (forecast.start_seconds - (3.0 * ahead).max(86_400.0)).max(series.start_seconds);
    let tail: Vec<(f64, f64)> = series
        .measured()
        .filter(|(time, _)| *time >= begin)
        .collect();
    let shown = tail.iter().map(|(_, value)| value).chain(&forecast.upper);
    let most = shown.copied().fold(f64::MIN_POSITIVE, f64::max).min(1e300);
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(begin..end.max(begin + 1.0), 0.0..1.08 * most)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(8)
        .x_desc("time (UTC)")
        .y_desc(label)
        .x_label_formatter(&|time| clock(*time))
        .label_style(("sans-serif", 13))
        .draw()?;
    let timed = |values: &[f64]| {
        let points = values.iter().enumerate();
        let points = points.map(|(index, value)| (forecast.time_seconds(index), *value));
        points.collect::<Vec<(f64, f64)>>()
    };
    let (lower, upper) = (timed(&forecast.lower), timed(&forecast.upper));
    let band: Vec<(f64, f64)> = upper.into_iter().chain(lower.into_iter().rev()).collect();
    chart
        .draw_series([Polygon::new(band, AHEAD.mix(0.22))])?
        .label("interval")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], AHEAD.mix(0.22).filled()));
    for run in runs(&tail, series.step_seconds) {
        chart.draw_series(LineSeries::new(run.iter().copied(), MEASURED))?;
    }
    chart
        .draw_series(LineSeries::new([], MEASURED))?
        .label("measured")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], MEASURED));
    chart
        .draw_series(LineSeries::new(
            timed(&forecast.median),
            AHEAD.stroke_width(2),
        ))?
        .label(format!("median ({})", forecast.method))
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], AHEAD.stroke_width(2)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 13))
        .draw()
}

/// Stretches without gaps: a line over a gap would show what was not measured.
fn runs(tail: &[(f64, f64)], step_seconds: f64) -> impl Iterator<Item = &[(f64, f64)]> {
    tail.chunk_by(move |one, next| next.0 - one.0 < 1.5 * step_seconds)
}
