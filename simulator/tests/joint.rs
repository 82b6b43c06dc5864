//! Joint distributions of two axes against sums over all basis states.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_simulator::{Angles, Ansatz, Cost, Limits, Mixer, Register, Table, on_threads};
use proptest::prelude::*;

/// Neighbouring axes coupled, so that their levels depend on one another.
fn cost(levels: &[usize]) -> Cost {
    let register = Register::new(levels).unwrap();
    let table = |axis: usize| Table {
        variables: vec![axis, axis + 1],
        values: (0..levels[axis] * levels[axis + 1])
            .map(|i| ((i * 29 + axis * 7) as f64 * 1.3).sin())
            .collect(),
    };
    let tables: Vec<Table> = (0..levels.len() - 1).map(table).collect();
    Cost::from_tables(&register, &tables, 0.0).unwrap()
}

fn angles() -> Angles {
    Angles::new(&[0.7, -0.4], &[0.5, 0.9]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn agrees_with_the_sum_over_all_states(levels in prop::collection::vec(2_usize..6, 1..6), stored: bool) {
        let cost = if levels.len() == 1 { Cost::from_fn(&Register::new(&levels).unwrap(), |x| x[0] as f64).unwrap() } else { cost(&levels) };
        let cost = if stored { Cost::table(cost.register(), cost.values().to_vec()).unwrap() } else { cost };
        let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).unwrap();
        let state = ansatz.evolve(&angles(), &Limits::none()).unwrap();
        let p = state.probabilities();
        for a in 0..levels.len() {
            for b in 0..levels.len() {
                let mut expected = vec![vec![0.0; levels[b]]; levels[a]];
                for (index, p) in p.iter().enumerate() {
                    let digits = cost.register().digits(index).unwrap();
                    expected[digits[a]][digits[b]] += p;
                }
                let found = state.joint(a, b).unwrap();
                prop_assert_eq!(found.len(), levels[a]);
                for (found, expected) in found.iter().zip(&expected) {
                    prop_assert_eq!(found.len(), levels[b]);
                    for (found, expected) in found.iter().zip(expected) {
                        prop_assert!((found - expected).abs() < 1e-13, "axes {} and {}", a, b);
                    }
                }
            }
        }
        prop_assert_eq!(state.joint(0, levels.len()), None);
        prop_assert_eq!(state.joint(levels.len(), 0), None);
    }
}

/// Large enough for several chunks, with levels that do not divide them; both precisions.
#[test]
fn sums_to_the_marginals_on_any_number_of_threads() {
    let levels = [3, 5, 2, 7, 4, 3, 5, 2, 3, 4];
    let cost = cost(&levels);
    let run = |threads| {
        on_threads(threads, || {
            let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).unwrap();
            let single = ansatz.clone().in_single_precision().unwrap();
            let state = ansatz.evolve(&angles(), &Limits::none()).unwrap();
            let single = single.evolve(&angles(), &Limits::none()).unwrap();
            let tables = [(0, 3), (3, 0), (4, 9), (8, 2)]
                .map(|(a, b)| (state.joint(a, b).unwrap(), single.joint(a, b).unwrap()));
            (tables, state.marginals())
        })
        .unwrap()
    };
    let (tables, marginals) = run(1);
    for ((table, single), a) in tables.iter().zip([0, 3, 4, 8]) {
        for (level, row) in table.iter().enumerate() {
            assert!((row.iter().sum::<f64>() - marginals[a][level]).abs() < 1e-12);
            for (double, single) in row.iter().zip(&single[level]) {
                assert!((double - single).abs() < 1e-5);
            }
        }
    }
    // The same two axes the other way round.
    for (i, row) in tables[0].0.iter().enumerate() {
        assert!(
            row.iter()
                .enumerate()
                .all(|(j, p)| (p - tables[1].0[j][i]).abs() < 1e-14)
        );
    }
    for threads in [2, 7] {
        assert_eq!(run(threads).0, tables);
    }
}
