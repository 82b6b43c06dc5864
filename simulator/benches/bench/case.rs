//! Registers of 2^10 to 2^27 amplitudes and costs on them, whose coefficients are formulas of their place.

use ketscale_simulator::{Cost, Register, Table, Term};

/// A register, and the cost on it.
pub struct Case {
    pub name: String,
    pub levels: Vec<usize>,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Every pair of qubits and every qubit.
    Dense,
    /// Every pair of qubits alone: of such a cost half the state is kept.
    Even,
    /// A ring of qubits with chords to the opposite side, and every qubit.
    Regular,
    /// The dense cost as a number for every state.
    Stored,
    /// A value for every pair of levels of every pair of axes.
    Pairs,
    /// A value for all levels of every three neighbouring axes.
    Triples,
    /// Low-autocorrelation binary sequences: degree four.
    Labs,
}

/// Numbers of qubits: 10, 12, …, 26 and 27.
pub fn sizes() -> impl Iterator<Item = usize> {
    (10..=26).step_by(2).chain([27])
}

/// What circuits are run on: from small to large, qubits with the dense cost and other shapes of about the same size; on 24 qubits the other
/// kinds of cost as well.
pub fn circuits() -> Vec<Case> {
    let kinds = |n: usize| {
        let mut kinds = vec![Kind::Dense];
        if n == 24 {
            kinds.extend([Kind::Even, Kind::Regular, Kind::Stored]);
        }
        kinds
    };
    let cases = |n: usize| {
        let qubits = kinds(n).into_iter().map(move |kind| Case::qubits(n, kind));
        qubits.chain(shapes(n, Kind::Pairs)).collect::<Vec<_>>()
    };
    sizes().flat_map(cases).collect()
}

/// Axes of other lengths than two with about 2^n states: 4^(n/2), 10^k where that is near, and 3, 5, 7, 6, 4, 2 in turn.
pub fn shapes(n: usize, kind: Kind) -> Vec<Case> {
    let states = (n as f64).exp2();
    let mut shapes = Vec::new();
    if n.is_multiple_of(2) {
        let name = format!("{} axes of 4", n / 2);
        shapes.push(Case::axes(&name, vec![4; n / 2], kind));
        let tens = (n as f64 * 2.0_f64.log10()).round();
        if (10.0_f64.powf(tens) / states).log2().abs() <= 1.0 {
            let name = format!("{tens} axes of 10");
            shapes.push(Case::axes(&name, vec![10; tens as usize], kind));
        }
        let mut levels = Vec::new();
        let mut dimension = 1.0;
        for d in [3, 5, 7, 6, 4, 2].into_iter().cycle() {
            if dimension * d as f64 > states * std::f64::consts::SQRT_2 {
                break;
            }
            dimension *= d as f64;
            levels.push(d);
        }
        // The same levels are near two sizes; they are of the nearer one.
        if dimension > states / 2.0 {
            let name = format!("3, 5, 7, 6 … ({} axes)", levels.len());
            shapes.push(Case::axes(&name, levels, kind));
        }
    }
    shapes
}

impl Case {
    pub fn qubits(n: usize, kind: Kind) -> Self {
        let name = format!("{n} qubits, {}", kind.name());
        let levels = vec![2; n];
        Self { name, levels, kind }
    }

    fn axes(shape: &str, levels: Vec<usize>, kind: Kind) -> Self {
        let name = format!("{shape}, {}", kind.name());
        Self { name, levels, kind }
    }

    pub fn dimension(&self) -> usize {
        self.levels.iter().product()
    }

    pub fn register(&self) -> Register {
        Register::new(&self.levels).expect("a register")
    }

    /// The cost, as a caller makes it.
    pub fn cost(&self) -> Cost {
        let register = self.register();
        let cost = match self.kind {
            Kind::Stored => {
                let cost = Cost::from_terms(&register, &self.terms(), 0.0).expect("a cost");
                Cost::table(&register, cost.values().into_owned())
            }
            Kind::Pairs | Kind::Triples => Cost::from_tables(&register, &self.tables(), 0.0),
            Kind::Dense | Kind::Even | Kind::Regular | Kind::Labs => {
                Cost::from_terms(&register, &self.terms(), 0.0)
            }
        };
        cost.expect("a cost")
    }

    /// The polynomial in spins, on qubits; a product of the same spins may come more than once.
    pub fn terms(&self) -> Vec<Term> {
        let n = self.levels.len();
        let term = |variables: Vec<usize>, coefficient: f64| Term {
            variables,
            coefficient,
        };
        let linear = (0..n).map(|i| term(vec![i], (i as f64 * 0.731).sin()));
        match self.kind {
            Kind::Dense | Kind::Even | Kind::Stored => {
                let weight = |i: usize, j: usize| ((i * n + j) as f64 * 0.417).cos();
                let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (j, i)));
                let pairs = pairs.map(|(j, i)| term(vec![j, i], weight(i, j)));
                let linear = linear.filter(|_| self.kind != Kind::Even);
                linear.chain(pairs).collect()
            }
            Kind::Regular => {
                let ring = (0..n).map(|i| (i, (i + 1) % n));
                let edges = ring.chain((0..n / 2).map(|i| (i, i + n / 2)));
                let weight = |at: usize| 0.5 + (at as f64 * 0.613).sin().abs();
                let pairs = edges
                    .enumerate()
                    .map(|(at, (i, j))| term(vec![i, j], weight(at)));
                linear.chain(pairs).collect()
            }
            Kind::Labs => labs(n),
            Kind::Pairs | Kind::Triples => Vec::new(),
        }
    }

    /// The tables, on axes of any length.
    pub fn tables(&self) -> Vec<Table> {
        let d = &self.levels;
        let table = |variables: Vec<usize>| {
            let length: usize = variables.iter().map(|&axis| d[axis]).product();
            let (first, last) = (variables[0], variables[variables.len() - 1]);
            let value = |at: usize| ((at * (first + 3) + last) as f64 * 0.731).sin();
            let values = (0..length).map(value).collect();
            Table { variables, values }
        };
        match self.kind {
            Kind::Pairs => (0..d.len())
                .flat_map(|j| (0..j).map(move |i| vec![i, j]))
                .map(table)
                .collect(),
            Kind::Triples => (2..d.len()).map(|k| table(vec![k - 2, k - 1, k])).collect(),
            _ => Vec::new(),
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense quadratic",
            Self::Even => "even quadratic",
            Self::Regular => "3-regular",
            Self::Stored => "table",
            Self::Pairs => "pairs",
            Self::Triples => "triples",
            Self::Labs => "LABS",
        }
    }
}

/// `Σ_k (Σ_i s_i s_{i+k})²` without its constant: the products of different pairs, twice each. Equal spins cancel.
fn labs(n: usize) -> Vec<Term> {
    let mut terms = Vec::new();
    for k in 1..n {
        for i in 0..n - k {
            for j in 0..i {
                // j < i, so only i and j + k can meet.
                let variables = if i == j + k {
                    vec![j, i + k]
                } else {
                    vec![j, j + k, i, i + k]
                };
                terms.push(Term {
                    variables,
                    coefficient: 2.0,
                });
            }
        }
    }
    terms
}
