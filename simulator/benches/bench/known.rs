//! Answers that do not come from the simulator: formulas for one layer, and moments of a cost from its coefficients.

use super::case::{Case, Kind};
use ketscale_simulator::{Angles, Ansatz, Limits, Number, Objective};

/// Fields h_i and couplings J_ij of a cost on qubits.
pub struct Ising {
    pub fields: Vec<f64>,
    pub couplings: Vec<Vec<f64>>,
}

impl Ising {
    pub fn new(case: &Case) -> Self {
        let n = case.levels.len();
        let (mut fields, mut couplings) = (vec![0.0; n], vec![vec![0.0; n]; n]);
        for term in case.terms() {
            match term.variables[..] {
                [i] => fields[i] += term.coefficient,
                [i, j] => {
                    couplings[i][j] += term.coefficient;
                    couplings[j][i] += term.coefficient;
                }
                _ => unreachable!("a quadratic cost"),
            }
        }
        Self { fields, couplings }
    }

    /// ⟨Z_i⟩ after one layer: `sin 2β · sin 2γh_i · Π_{k≠i} cos 2γJ_ik`.
    pub fn spin(&self, i: usize, gamma: f64, beta: f64) -> f64 {
        let product: f64 = self.couplings[i]
            .iter()
            .map(|j| (2.0 * gamma * j).cos())
            .product();
        (2.0 * beta).sin() * (2.0 * gamma * self.fields[i]).sin() * product
    }

    /// ⟨Z_iZ_j⟩ after one layer (Ozaeta, van Dam and McMahon, arXiv 2012.03421).
    fn pair(&self, i: usize, j: usize, gamma: f64, beta: f64) -> f64 {
        let (h, c) = (&self.fields, &self.couplings);
        let cos = |x: f64| (2.0 * gamma * x).cos();
        let others = || (0..h.len()).filter(move |&k| k != i && k != j);
        let alone = |a: usize| cos(h[a]) * others().map(|k| cos(c[a][k])).product::<f64>();
        let both = |sign: f64| {
            cos(h[i] + sign * h[j])
                * others()
                    .map(|k| cos(c[i][k] + sign * c[j][k]))
                    .product::<f64>()
        };
        0.5 * (4.0 * beta).sin() * (2.0 * gamma * c[i][j]).sin() * (alone(i) + alone(j))
            - 0.5 * (2.0 * beta).sin().powi(2) * (both(1.0) - both(-1.0))
    }

    /// ⟨C⟩ after one layer.
    pub fn expectation(&self, gamma: f64, beta: f64) -> f64 {
        let n = self.fields.len();
        let fields = (0..n).map(|i| self.fields[i] * self.spin(i, gamma, beta));
        let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
        let pairs = pairs.map(|(i, j)| self.couplings[i][j] * self.pair(i, j, gamma, beta));
        fields.chain(pairs).sum()
    }
}

/// The parts of the cost's variance that belong to one axis alone, and to two axes together.
pub fn variances(case: &Case) -> [f64; 2] {
    if case.kind == Kind::Pairs {
        return variances_of_tables(case);
    }
    let ising = Ising::new(case);
    let squares = |list: &[f64]| list.iter().map(|x| x * x).sum::<f64>();
    // Each coupling stands twice.
    let pairs = ising.couplings.iter().map(|row| squares(row)).sum::<f64>() / 2.0;
    [squares(&ising.fields), pairs]
}

fn variances_of_tables(case: &Case) -> [f64; 2] {
    let d = &case.levels;
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    let mut alone: Vec<Vec<f64>> = d.iter().map(|&d| vec![0.0; d]).collect();
    let mut together = 0.0;
    for table in case.tables() {
        let (i, j) = (table.variables[0], table.variables[1]);
        let all = mean(&table.values);
        let of_i: Vec<f64> = (0..d[i])
            .map(|x| {
                let column: Vec<f64> = table.values[x..].iter().step_by(d[i]).copied().collect();
                mean(&column) - all
            })
            .collect();
        let of_j: Vec<f64> = table
            .values
            .chunks(d[i])
            .map(|row| mean(row) - all)
            .collect();
        let rest = table
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| value - all - of_i[at % d[i]] - of_j[at / d[i]]);
        together += rest.map(|x| x * x).sum::<f64>() / table.values.len() as f64;
        for (axis, part) in [(i, of_i), (j, of_j)] {
            alone[axis]
                .iter_mut()
                .zip(part)
                .for_each(|(sum, x)| *sum += x);
        }
    }
    let alone = alone
        .iter()
        .map(|list| list.iter().map(|x| x * x).sum::<f64>() / list.len() as f64);
    [alone.sum(), together]
}

/// `∂⟨C⟩/∂γ` of one layer at γ = 0 from the uniform state: `2 Σ_m V_m sin 2βm`, with V_m the variance that belongs to m axes together,
/// for the complete mixers turn such a part of C by 2βm against the uniform state.
pub fn slope(variances: [f64; 2], beta: f64) -> f64 {
    2.0 * (variances[0] * (2.0 * beta).sin() + variances[1] * (4.0 * beta).sin())
}

/// How far off a precision may be, as a share.
pub fn tolerance<T: Number>() -> f64 {
    if T::NAME == "f32" { 1e-4 } else { 1e-10 }
}

/// Asserts what one layer gives: on qubits ⟨C⟩, on other axes its slope; and that ten layers keep the norm.
pub fn check<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
    let (gamma, beta) = (0.1, 0.4);
    let value = |gamma: f64| {
        let angles = Angles::new(&[gamma], &[beta]).expect("angles");
        ansatz
            .evaluate(Objective::Expectation, &angles, &Limits::none())
            .expect("a value")
    };
    let [alone, together] = variances(case);
    let deviation = (alone + together).sqrt();
    if case.kind == Kind::Pairs {
        // A central difference: h² away from the slope, and what rounding leaves over h.
        let h = if T::NAME == "f32" { 1e-2 } else { 1e-4 } / deviation;
        let (found, expected) = (
            (value(h) - value(-h)) / (2.0 * h),
            slope([alone, together], beta),
        );
        let share = (found - expected).abs() / (alone + together);
        assert!(
            share < 100.0 * tolerance::<T>().max(1e-8),
            "{}: slope {found}, expected {expected}",
            case.name
        );
    } else {
        let (found, expected) = (value(gamma), Ising::new(case).expectation(gamma, beta));
        assert!(
            (found - expected).abs() < tolerance::<T>() * deviation,
            "{}: {found}, expected {expected}",
            case.name
        );
    }
    let state = ansatz.evolve(&super::ramp(10), &Limits::none());
    let norm = state.expect("a state").norm();
    assert!(
        (norm - 1.0).abs() < tolerance::<T>(),
        "{}: norm {norm}",
        case.name
    );
}
