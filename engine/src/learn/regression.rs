//! CPU use of all pods on replicas and load, by an M-estimator: outliers, such as a nightly batch job in the same pods, get no weight.

use super::{Cpu, Estimate, FEWEST_VALUES, Measured, as_f64, at, median};

/// Tukey's biweight gives no weight to residuals beyond so many standard deviations; 95 % efficient on normal errors (Holland and Welsch 1977).
const BIWEIGHT: f64 = 4.685;

/// Huber's weights, for the first half of the rounds: convex, so that the start does not matter (Huber 1964; 95 % efficient).
const HUBER: f64 = 1.345;

/// Rounds of reweighting, half by Huber and half by Tukey.
const ROUNDS: usize = 60;

/// Loads a pod must differ by this share of the largest, else idle use cannot be told from use by load.
const LEAST_VARIATION: f64 = 0.1;

/// Most standard error of the CPU per request as a share of it.
const MOST_ERROR: f64 = 0.25;

/// One measured time.
#[derive(Clone, Copy, Debug)]
struct Point {
    replicas: f64,
    rps: f64,
    cores: f64,
}

/// Idle cores a pod and cores per request.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    idle: f64,
    slope: f64,
}

/// The symmetric matrix [[a, b], [b, c]] of sums over replicas and load.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    a: f64,
    b: f64,
    c: f64,
}

impl Point {
    fn residual(self, line: Line) -> f64 {
        self.cores - line.idle * self.replicas - line.slope * self.rps
    }
}

impl Moments {
    fn of(points: &[Point], weight: impl Fn(&Point) -> f64) -> Self {
        points.iter().fold(Self::default(), |sum, point| {
            let weight = weight(point);
            Self {
                a: sum.a + weight * point.replicas * point.replicas,
                b: sum.b + weight * point.replicas * point.rps,
                c: sum.c + weight * point.rps * point.rps,
            }
        })
    }

    fn determinant(self) -> f64 {
        self.a * self.c - self.b * self.b
    }
}

/// Both numbers with their standard errors, or why they cannot be told.
pub(super) fn cpu(measured: &Measured<'_>) -> Result<Cpu, String> {
    let timed = points(measured)?;
    let points: Vec<Point> = timed.iter().map(|(_, point)| *point).collect();
    check_variation(&points)?;
    let free = fitted(&points, true).ok_or("replicas and load went up and down together")?;
    // A pod never idles at less than nothing: on that bound the load explains all.
    let with_idle = free.idle >= 0.0;
    let line = if with_idle {
        free
    } else {
        fitted(&points, false).ok_or("there were no requests")?
    };
    if line.slope <= 0.0 {
        return Err("CPU use does not grow with the load".to_owned());
    }
    let (idle_error, slope_error) = standard_errors(&points, line, with_idle);
    // An error that is no number is no small one.
    if slope_error.is_nan() || slope_error > MOST_ERROR * line.slope {
        let percent = 100.0 * slope_error / line.slope;
        return Err(format!(
            "too uncertain: the standard error of CPU per request is {percent:.0} % of it"
        ));
    }
    let newest_seconds = timed.last().map_or(0.0, |(time, _)| *time);
    Ok(Cpu {
        cores_per_rps: Estimate {
            value: line.slope,
            standard_error: slope_error,
        },
        idle_cores: Estimate {
            value: line.idle,
            standard_error: idle_error,
        },
        values: points.len(),
        newest_seconds,
    })
}

/// Times at which everything was measured.
fn points(measured: &Measured<'_>) -> Result<Vec<(f64, Point)>, String> {
    let constant = measured.replicas_now.map(f64::from);
    let point = |(time, rps): (f64, f64)| {
        let replicas = match measured.replicas {
            Some(series) => at(series, time),
            None => constant,
        };
        let point = Point {
            replicas: replicas.filter(|replicas| *replicas > 0.0)?,
            rps: Some(rps).filter(|rps| rps.is_finite() && *rps >= 0.0)?,
            cores: at(measured.cpu_cores, time)?,
        };
        Some((time, point))
    };
    let points: Vec<_> = measured.load_rps.measured().filter_map(point).collect();
    if measured.replicas.is_none() && constant.is_none() {
        Err("the number of pods is not known".to_owned())
    } else if points.len() < FEWEST_VALUES {
        Err(format!(
            "too few values: load, CPU use and replicas are known together at {} times, {FEWEST_VALUES} are needed",
            points.len()
        ))
    } else {
        Ok(points)
    }
}

fn check_variation(points: &[Point]) -> Result<(), String> {
    let mut loads: Vec<f64> = points
        .iter()
        .map(|point| point.rps / point.replicas)
        .collect();
    loads.sort_unstable_by(f64::total_cmp);
    // A twentieth at either end may be outliers.
    let margin = loads.len() / 20;
    let inner = loads.get(margin..loads.len() - margin).unwrap_or_default();
    let (Some(low), Some(high)) = (inner.first(), inner.last()) else {
        return Err("there are no values".to_owned());
    };
    if *high <= 0.0 {
        return Err("there were no requests".to_owned());
    }
    if high - low < LEAST_VARIATION * high {
        return Err(format!(
            "too little variation: a pod had {low:.3} to {high:.3} requests per second"
        ));
    }
    Ok(())
}

/// Iteratively reweighted least squares. `None` where the two regressors cannot be told apart.
fn fitted(points: &[Point], with_idle: bool) -> Option<Line> {
    let mut line = weighted(points, with_idle, |_| 1.0)?;
    for round in 0..ROUNDS {
        let deviation = deviation(points, line);
        let weight = |point: &Point| {
            let z = point.residual(line).abs() / deviation;
            if round < ROUNDS / 2 {
                if z <= HUBER { 1.0 } else { HUBER / z }
            } else {
                biweight(z)
            }
        };
        line = weighted(points, with_idle, weight)?;
    }
    Some(line)
}

fn biweight(z: f64) -> f64 {
    let share = 1.0 - (z / BIWEIGHT).powi(2);
    if z < BIWEIGHT { share * share } else { 0.0 }
}

fn weighted(points: &[Point], with_idle: bool, weight: impl Fn(&Point) -> f64) -> Option<Line> {
    let moments = Moments::of(points, &weight);
    let (mut by_replicas, mut by_load) = (0.0, 0.0);
    for point in points {
        by_replicas += weight(point) * point.replicas * point.cores;
        by_load += weight(point) * point.rps * point.cores;
    }
    let line = if with_idle {
        let determinant = moments.determinant();
        if determinant <= 1e-9 * moments.a * moments.c {
            return None;
        }
        Line {
            idle: (moments.c * by_replicas - moments.b * by_load) / determinant,
            slope: (moments.a * by_load - moments.b * by_replicas) / determinant,
        }
    } else {
        Line {
            idle: 0.0,
            slope: by_load / moments.c,
        }
    };
    (line.idle.is_finite() && line.slope.is_finite()).then_some(line)
}

/// Standard deviation of the residuals by the median of their size, which is 0.6745 of it on normal errors; never 0.
fn deviation(points: &[Point], line: Line) -> f64 {
    let sizes = points.iter().map(|point| point.residual(line).abs());
    let largest = points.iter().map(|point| point.cores).fold(0.0, f64::max);
    (median(sizes.collect()) / 0.6745)
        .max(1e-9 * largest)
        .max(f64::MIN_POSITIVE)
}

/// Standard errors of idle cores and slope: the sandwich of an M-estimator (Huber 1967), with residuals that follow one another counted as the fewer
/// independent ones that they are worth, n·(1 − ρ)/(1 + ρ) at autocorrelation ρ.
fn standard_errors(points: &[Point], line: Line, with_idle: bool) -> (f64, f64) {
    let deviation = deviation(points, line);
    let z = |point: &Point| point.residual(line).abs() / deviation;
    // Derivative of ψ(z) = z·(1 − (z/k)²)².
    let bread = Moments::of(points, |point| {
        let square = (z(point) / BIWEIGHT).powi(2);
        if square < 1.0 {
            (1.0 - square) * (1.0 - 5.0 * square)
        } else {
            0.0
        }
    });
    let meat = Moments::of(points, |point| {
        (biweight(z(point)) * point.residual(line)).powi(2)
    });
    let inflation = inflation(points, line);
    let root = |variance: f64| (variance.max(0.0) * inflation).sqrt();
    if !with_idle {
        // The bound on idle use is where it is; what it hides is in the slope.
        return (0.0, root(meat.c / (bread.c * bread.c)));
    }
    let determinant = bread.determinant();
    let (p, q, r) = (
        bread.c / determinant,
        -bread.b / determinant,
        bread.a / determinant,
    );
    let idle = p * p * meat.a + 2.0 * p * q * meat.b + q * q * meat.c;
    let slope = q * q * meat.a + 2.0 * q * r * meat.b + r * r * meat.c;
    (root(idle), root(slope))
}

fn inflation(points: &[Point], line: Line) -> f64 {
    let deviation = deviation(points, line);
    let clipped = |point: &Point| {
        point
            .residual(line)
            .clamp(-3.0 * deviation, 3.0 * deviation)
    };
    let residuals: Vec<f64> = points.iter().map(clipped).collect();
    let products = residuals.iter().zip(residuals.iter().skip(1));
    let together: f64 = products.map(|(one, next)| one * next).sum();
    let alone: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let correlation = (together / alone.max(f64::MIN_POSITIVE)).clamp(0.0, 0.95);
    // Two numbers were fitted to these residuals.
    let freedom = as_f64(points.len()) / as_f64(points.len() - 2);
    freedom * (1.0 + correlation) / (1.0 - correlation)
}
