//! A replay as one SVG picture: the load on top, then a row a policy with its replicas and its cost an hour, the other policies in grey
//! behind it, and red marks where a service was over its latency objective.

use jiff::Timestamp;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;

use super::{Replay, Trace};

/// Points of a line, at most; more steps are averaged in equal parts, so that lines stay lines.
const MOST_POINTS: usize = 480;

const WIDTH: u32 = 1240;
const TITLE_HEIGHT: u32 = 44;
const LOAD_HEIGHT: u32 = 170;
const POLICY_HEIGHT: u32 = 190;

const INK: RGBColor = RGBColor(36, 41, 47);
const GREY: RGBColor = RGBColor(200, 205, 210);
const GRID: RGBColor = RGBColor(236, 238, 240);
const LOAD: RGBColor = RGBColor(110, 119, 129);
const HPA: RGBColor = RGBColor(178, 94, 9);
const KETSCALE: RGBColor = RGBColor(9, 105, 218);
const OVER: RGBColor = RGBColor(207, 34, 46);

const FONT: &str = "sans-serif";

const DAY_SECONDS: f64 = 86_400.0;
const HOUR_SECONDS: f64 = 3600.0;

/// A picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart cannot be drawn: {0}")]
pub struct ChartError(String);

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Line = Vec<(f64, f64)>;

/// Draws a replay of a trace.
///
/// # Errors
///
/// [`ChartError`], when the picture would have no size or the drawing library fails.
pub fn chart(replay: &Replay, trace: &Trace) -> Result<String, ChartError> {
    let rows = u32::try_from(replay.timelines.len()).unwrap_or(u32::MAX);
    let height = TITLE_HEIGHT + LOAD_HEIGHT + POLICY_HEIGHT.saturating_mul(rows);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        Picture::new(replay, trace)
            .draw(&root)
            .and_then(|()| root.present())
            .map_err(|error| ChartError(error.to_string()))?;
    }
    Ok(svg)
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// All that is drawn, in numbers.
struct Picture<'a> {
    replay: &'a Replay,
    time: TimeAxis,
    /// Steps in a point.
    together: usize,
    load: Line,
    replicas: Vec<Line>,
    usd_per_hour: Vec<Line>,
    /// Times over the objective, by policy: begin and end.
    over: Vec<Vec<(f64, f64)>>,
}

/// The horizontal axis, in seconds since the Unix epoch.
#[derive(Clone)]
struct TimeAxis {
    from: f64,
    to: f64,
    /// Where it has labels.
    ticks: Vec<f64>,
}

impl Ranged for TimeAxis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    #[allow(
        clippy::cast_possible_truncation,
        reason = "a place on the picture is a few thousand pixels from its edge"
    )]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

/// What one panel shows.
struct Panel<'a> {
    title: &'a str,
    /// Upper end of the vertical axis.
    most: f64,
    lines: &'a [Line],
    /// Which line stands out.
    own: usize,
    colour: RGBColor,
    marks: &'a [(f64, f64)],
}

impl<'a> Picture<'a> {
    fn new(replay: &'a Replay, trace: &'a Trace) -> Self {
        let steps: Vec<_> = trace.steps().collect();
        let together = steps.len().div_ceil(MOST_POINTS).max(1);
        let starts: Vec<f64> = steps.iter().map(|step| step.start_seconds).collect();
        let line = |values: Vec<f64>| averaged(&starts, &values, together, trace.end_seconds());
        let total = |rps: &[Option<f64>]| rps.iter().flatten().fold(0.0, |sum, rps| sum + rps);
        let load = line(steps.iter().map(|step| total(step.rps)).collect());
        let timelines = || replay.timelines.iter();
        let replicas =
            timelines().map(|t| line(t.replicas.iter().copied().map(f64::from).collect()));
        let usd = timelines().map(|t| line(t.usd_per_hour.clone()));
        let over = timelines().map(|timeline| {
            let steps = steps.iter().zip(&timeline.over_slo_seconds);
            let over = steps.filter(|(_, seconds)| **seconds > 0.0);
            over.map(|(step, _)| (step.start_seconds, step.end_seconds))
                .collect()
        });
        Self {
            replay,
            time: TimeAxis {
                from: trace.start_seconds(),
                to: trace.end_seconds(),
                ticks: ticks(trace.start_seconds(), trace.end_seconds()),
            },
            together,
            load,
            replicas: replicas.collect(),
            usd_per_hour: usd.collect(),
            over: over.collect(),
        }
    }

    fn draw(&self, root: &Area) -> Drawn {
        root.fill(&WHITE)?;
        let (title, rest) = root.split_vertically(TITLE_HEIGHT);
        self.draw_title(&title)?;
        let (load, rest) = rest.split_vertically(LOAD_HEIGHT);
        let lines = [self.load.clone()];
        self.draw_panel(
            &load,
            &Panel {
                title: "Load of all services, requests per second",
                most: highest(&lines),
                lines: &lines,
                own: 0,
                colour: LOAD,
                marks: &[],
            },
        )?;
        let areas = rest.split_evenly((self.replay.timelines.len().max(1), 2));
        for (index, row) in self.replay.report.policies.iter().enumerate() {
            let colour = if row.policy == "ketscale" {
                KETSCALE
            } else {
                HPA
            };
            let replicas = format!("{}: replicas", row.policy);
            let cost = format!(
                "{}: USD per hour ({:.0} USD in all; red: a service over its objective, {:.0} min)",
                row.policy, row.cost_usd, row.minutes_over_slo
            );
            let marks = self.over.get(index).map_or(&[][..], Vec::as_slice);
            for (column, title, lines, marks) in [
                (0, &replicas, &self.replicas, &[][..]),
                (1, &cost, &self.usd_per_hour, marks),
            ] {
                let panel = Panel {
                    title,
                    most: highest(lines),
                    lines,
                    own: index,
                    colour,
                    marks,
                };
                if let Some(area) = areas.get(2 * index + column) {
                    self.draw_panel(area, &panel)?;
                }
            }
        }
        Ok(())
    }

    fn draw_title(&self, area: &Area) -> Drawn {
        let report = &self.replay.report;
        let means = match self.together {
            1 => String::new(),
            steps => format!("; lines are means of {steps} steps"),
        };
        let text = format!(
            "{}: {} to {} UTC, {} steps{means}",
            report.problem,
            label(self.time.from, "%Y-%m-%d %H:%M"),
            label(self.time.to, "%Y-%m-%d %H:%M"),
            report.steps
        );
        area.draw(&Text::new(
            text,
            (16, 16),
            (FONT, 18).into_font().color(&INK),
        ))
    }

    fn draw_panel(&self, area: &Area, panel: &Panel) -> Drawn {
        let TimeAxis { from, to, .. } = self.time;
        let mut chart = ChartBuilder::on(area)
            .caption(panel.title, (FONT, 14).into_font().color(&INK))
            .margin_left(8)
            .margin_right(22)
            .margin_top(4)
            .x_label_area_size(24)
            .y_label_area_size(48)
            .build_cartesian_2d(self.time.clone(), 0.0..panel.most)?;
        let format = if to - from > 2.0 * DAY_SECONDS {
            "%b %-d"
        } else {
            "%H:%M"
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GREY)
            .y_labels(5)
            .x_label_formatter(&|seconds| label(*seconds, format))
            .y_label_formatter(&|value| number(*value))
            .label_style((FONT, 12).into_font().color(&INK))
            .draw()?;
        // A mark is at least as wide as a pixel or two.
        let least = (to - from) / f64::from(WIDTH / 2) * 1.5;
        for (begin, end) in panel.marks {
            let mark = [(*begin, 0.0), (end.max(begin + least), 0.035 * panel.most)];
            chart.draw_series([Rectangle::new(mark, OVER.filled())])?;
        }
        let others = panel
            .lines
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != panel.own);
        for (_, line) in others {
            chart.draw_series(LineSeries::new(line.iter().copied(), GREY.stroke_width(1)))?;
        }
        if let Some(line) = panel.lines.get(panel.own) {
            chart.draw_series(LineSeries::new(
                line.iter().copied(),
                panel.colour.stroke_width(2),
            ))?;
        }
        Ok(())
    }
}

/// Means of so many values together, at the time of the first of them, drawn as stairs.
#[allow(clippy::cast_precision_loss, reason = "steps are far fewer than 2⁵³")]
fn averaged(starts: &[f64], values: &[f64], together: usize, end: f64) -> Line {
    let mut line = Line::new();
    for (index, part) in values.chunks(together).enumerate() {
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        let time = |index: usize| starts.get(index * together).copied().unwrap_or(end);
        line.extend([(time(index), mean), (time(index + 1), mean)]);
    }
    line
}

/// A little above the highest point.
fn highest(lines: &[Line]) -> f64 {
    let values = lines.iter().flatten().map(|(_, value)| *value);
    let highest = values.fold(0.0, f64::max);
    if highest > 0.0 { 1.06 * highest } else { 1.0 }
}

/// Whole days, or hours, of which there are not too many for their labels.
fn ticks(from: f64, to: f64) -> Vec<f64> {
    let units = [1.0, 2.0, 7.0, 30.0, 365.0].map(|days| days * DAY_SECONDS);
    let hours = [0.25, 1.0, 3.0, 6.0, 12.0].map(|hours| hours * HOUR_SECONDS);
    let mut every = hours.into_iter().chain(units);
    let every = every.find(|every| (to - from) / every <= 9.0);
    let every = every.unwrap_or((to - from) / 9.0).max(1e-3);
    let first = (from / every).ceil() * every;
    let ticks = (0..=10).map(|index| first + f64::from(index) * every);
    ticks.filter(|tick| *tick <= to).collect()
}

/// A time in UTC.
#[allow(
    clippy::cast_possible_truncation,
    reason = "labels are whole seconds, and what is out of range has none"
)]
fn label(seconds: f64, format: &str) -> String {
    let stamp = Timestamp::from_second(seconds.round() as i64);
    stamp.map_or(String::new(), |stamp| stamp.strftime(format).to_string())
}

/// At most four digits.
fn number(value: f64) -> String {
    match value {
        v if v >= 10_000.0 => format!("{:.0}k", v / 1000.0),
        v if v >= 10.0 || v == 0.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}
