//! Models of well-known families, drawn from a seed.

use super::{Model, Polynomial};
use crate::Error;
use ketscale_simulator::Term;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Most terms of a generated model.
const MOST_TERMS: usize = 10_000_000;
/// Draws without a new edge after which a graph is begun anew, a vertex.
const PATIENCE: usize = 100;

impl Model {
    /// Low-autocorrelation binary sequences of n spins: `E(s) = Σ_k (Σ_i s_i s_{i+k})²`, a polynomial of degree four.
    ///
    /// # Errors
    /// Fewer than two spins, or so many that there are over ten million terms.
    pub fn labs(n: usize) -> Result<Self, Error> {
        check("n", n, n >= 2, "at least 2")?;
        check_terms(n, n.saturating_pow(3) / 6)?;
        // Squares are one and equal spins cancel, so a product of four spins is one of four, two or none of them.
        let mut terms: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
        for k in 1..n {
            for i in 0..n - k {
                for j in 0..n - k {
                    let mut spins = BTreeSet::new();
                    for spin in [i, i + k, j, j + k] {
                        if !spins.insert(spin) {
                            spins.remove(&spin);
                        }
                    }
                    *terms.entry(spins.into_iter().collect()).or_default() += 1.0;
                }
            }
        }
        let offset = terms.remove(&Vec::new()).unwrap_or(0.0);
        let terms = terms
            .into_iter()
            .map(|(variables, coefficient)| Term {
                variables,
                coefficient,
            })
            .collect();
        Ok(Self::Spin(Polynomial {
            variables: n,
            terms,
            offset,
        }))
    }

    /// The Sherrington–Kirkpatrick model of n spins with couplings ±1/√n.
    ///
    /// # Errors
    /// Fewer than two spins, or so many that there are over ten million terms.
    pub fn sherrington_kirkpatrick(n: usize, seed: u64) -> Result<Self, Error> {
        check("n", n, n >= 2, "at least 2")?;
        check_terms(n, n.saturating_mul(n) / 2)?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let size = 1.0 / (n as f64).sqrt();
        let mut coupling = || {
            if random.next_u32() % 2 == 0 {
                size
            } else {
                -size
            }
        };
        let terms = pairs(n)
            .map(|(i, j)| Term {
                variables: vec![i, j],
                coefficient: coupling(),
            })
            .collect();
        Ok(Self::Spin(Polynomial {
            variables: n,
            terms,
            offset: 0.0,
        }))
    }

    /// Minus the cut of a random graph with n vertices of the given degree.
    ///
    /// # Errors
    /// A degree of zero, or of n and more; an odd number of edge ends; over ten million edges.
    pub fn regular_maxcut(n: usize, degree: usize, seed: u64) -> Result<Self, Error> {
        check(
            "degree",
            degree,
            degree >= 1 && degree < n,
            "at least 1 and below n",
        )?;
        check_terms(n, n.saturating_mul(degree) / 2)?;
        check(
            "degree",
            degree,
            (n * degree).is_multiple_of(2),
            "even where n is odd",
        )?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // A dense graph is what a sparse one leaves out: joining ends at random would hardly ever come to its end.
        let edges = if 2 * degree < n {
            regular_graph(n, degree, &mut random)
        } else {
            let left_out = regular_graph(n, n - 1 - degree, &mut random);
            pairs(n).filter(|edge| !left_out.contains(edge)).collect()
        };
        let offset = -0.5 * edges.len() as f64;
        let terms = edges
            .into_iter()
            .map(|(i, j)| Term {
                variables: vec![i, j],
                coefficient: 0.5,
            })
            .collect();
        Ok(Self::Spin(Polynomial {
            variables: n,
            terms,
            offset,
        }))
    }

    /// A dense quadratic polynomial in n bits, its coefficients uniform in [−1, 1).
    ///
    /// # Errors
    /// No bits, or so many that there are over ten million terms.
    pub fn qubo(n: usize, seed: u64) -> Result<Self, Error> {
        check("n", n, n >= 1, "at least 1")?;
        check_terms(n, n.saturating_mul(n) / 2)?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let singles = (0..n).map(|i| vec![i]);
        let variables = singles.chain(pairs(n).map(|(i, j)| vec![i, j]));
        let terms = variables
            .map(|variables| Term {
                variables,
                coefficient: random.random_range(-1.0..1.0),
            })
            .collect();
        Ok(Self::Binary(Polynomial {
            variables: n,
            terms,
            offset: 0.0,
        }))
    }
}

fn check(
    setting: &'static str,
    value: usize,
    holds: bool,
    must: &'static str,
) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Setting {
            setting,
            value: value.to_string(),
            must,
        })
    }
}

fn check_terms(n: usize, terms: usize) -> Result<(), Error> {
    check(
        "n",
        n,
        terms <= MOST_TERMS,
        "smaller: the model would have over ten million terms",
    )
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |j| (0..j).map(move |i| (i, j)))
}

/// Joins free ends at random, never twice and never to itself, and begins anew where no two ends may be joined any more
/// (Steger and Wormald, Combinatorics, Probability and Computing 8, 377 (1999)). Edges are sorted.
fn regular_graph(n: usize, degree: usize, random: &mut ChaCha8Rng) -> BTreeSet<(usize, usize)> {
    loop {
        let mut ends: Vec<usize> = (0..n)
            .flat_map(|vertex| std::iter::repeat_n(vertex, degree))
            .collect();
        let mut edges = BTreeSet::new();
        let mut failures = 0;
        while !ends.is_empty() && failures < PATIENCE * n {
            let (a, b) = (
                random.random_range(0..ends.len()),
                random.random_range(0..ends.len()),
            );
            let edge = (ends[a].min(ends[b]), ends[a].max(ends[b]));
            if edge.0 == edge.1 || edges.contains(&edge) {
                failures += 1;
                continue;
            }
            edges.insert(edge);
            failures = 0;
            ends.swap_remove(a.max(b));
            ends.swap_remove(a.min(b));
        }
        if ends.is_empty() {
            return edges;
        }
    }
}
