//! Ways to build a cost against its definition, and every cost that is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_simulator::{Cost, Error, Register, Table, Term};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn register(levels: &[usize]) -> Register {
    Register::new(levels).unwrap()
}

/// Two to four levels on one to five axes.
fn levels() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(2_usize..5, 1..6)
}

/// Distinct numbers below `count`, in any order.
fn distinct(count: usize) -> impl Strategy<Value = Vec<usize>> {
    (
        Just((0..count).collect::<Vec<_>>()).prop_shuffle(),
        0..=count.min(4),
    )
        .prop_map(|(mut order, length)| {
            order.truncate(length);
            order
        })
}

fn tables(levels: Vec<usize>) -> impl Strategy<Value = (Vec<usize>, Vec<Table>)> {
    let sizes = levels.clone();
    let table = distinct(levels.len()).prop_flat_map(move |variables| {
        let length = variables
            .iter()
            .map(|&variable| sizes[variable])
            .product::<usize>();
        prop::collection::vec(-9_i8..9, length).prop_map(move |values| Table {
            variables: variables.clone(),
            values: values.into_iter().map(f64::from).collect(),
        })
    });
    (Just(levels), prop::collection::vec(table, 0..8))
}

/// The value of a table at a basis state, its first variable fastest.
fn look_up(table: &Table, levels: &[usize], x: &[usize]) -> f64 {
    let index = table
        .variables
        .iter()
        .rev()
        .fold(0, |index, &variable| index * levels[variable] + x[variable]);
    table.values[index]
}

proptest! {
    #[test]
    fn tables_add_up((levels, tables) in levels().prop_flat_map(tables), offset in -5_i8..5) {
        let register = register(&levels);
        let built = Cost::from_tables(&register, &tables, f64::from(offset)).unwrap();
        let defined = Cost::from_fn(&register, |x| f64::from(offset) + tables.iter().map(|table| look_up(table, &levels, x)).sum::<f64>()).unwrap();
        // Small integers: additions in any order are exact.
        prop_assert_eq!(built.values(), defined.values());
    }

    #[test]
    fn polynomials_add_up(
        terms in prop::collection::vec((distinct(5), -9_i8..9), 0..8),
        offset in -5_i8..5,
        bits: bool,
    ) {
        // Axes 1 and 4 are no qubits: polynomials in the others do not depend on them.
        let register = register(&[2, 3, 2, 2, 4]);
        let qubit = |axis: &usize| *axis != 1 && *axis != 4;
        let term = |(variables, coefficient): (Vec<usize>, i8)| Term {
            variables: variables.into_iter().filter(qubit).collect(),
            coefficient: f64::from(coefficient),
        };
        let terms: Vec<Term> = terms.into_iter().map(term).collect();
        let build = if bits { Cost::from_bit_terms } else { Cost::from_terms };
        let built = build(&register, &terms, f64::from(offset)).unwrap();
        let variable = |b: usize| if bits { b as f64 } else { 1.0 - 2.0 * b as f64 };
        let value = |term: &Term, x: &[usize]| term.coefficient * term.variables.iter().map(|&k| variable(x[k])).product::<f64>();
        let defined = Cost::from_fn(&register, |x| f64::from(offset) + terms.iter().map(|term| value(term, x)).sum::<f64>()).unwrap();
        prop_assert_eq!(built.values(), defined.values());
    }

    /// Costs that are stored as steps give back the numbers that they were made of.
    #[test]
    fn steps_are_exact(
        counts in prop::collection::vec(0_u16..1000, 2048),
        exponent in -60_i32..60,
        base in -1e6..1e6_f64,
    ) {
        let unit = 2_f64.powi(exponent);
        let values: Vec<f64> = counts.iter().map(|&count| f64::from(count) * unit + base).collect();
        let cost = Cost::table(&Register::qubits(11).unwrap(), values.clone()).unwrap();
        prop_assert_eq!(&cost.values().into_owned(), &values);
        prop_assert_eq!(cost.value(77), Some(values[77]));
    }

    #[test]
    fn statistics_agree_with_their_definitions(values in prop::collection::vec(-5.0..5.0_f64, 24), ties in 0_usize..5) {
        let mut values = values;
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        (0..ties).for_each(|at| values[at] = min + 4e-9);
        let cost = Cost::table(&register(&[2, 3, 4]), values.clone()).unwrap();
        let mean = values.iter().sum::<f64>() / 24.0;
        let variance = values.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / 24.0;
        prop_assert!((cost.mean() - mean).abs() < 1e-13);
        prop_assert!((cost.standard_deviation() - variance.sqrt()).abs() < 1e-13);
        prop_assert_eq!(cost.min(), values.iter().copied().fold(f64::INFINITY, f64::min));
        prop_assert_eq!(cost.max(), values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        prop_assert_eq!(values[cost.minimum_index()], cost.min());
        let near = values.iter().filter(|c| **c <= cost.min() + 1e-9 * (cost.max() - cost.min()).max(1.0)).count();
        prop_assert_eq!(cost.minimum_count(), near);
    }
}

/// Polynomials on more states than are transformed at once, whole multiples of a half and others, spins and bits.
#[test]
fn polynomials_add_up_on_large_registers() {
    let levels = [&[2; 8][..], &[3], &[2; 9]].concat();
    let register = register(&levels);
    let qubits: Vec<usize> = (0..18).filter(|&axis| axis != 8).collect();
    for unit in [0.5, 0.1] {
        let term = |at: usize| Term {
            variables: [at, at * 5 + 3, at * 11 + 7, at * 2 + 1]
                .map(|k| qubits[k % qubits.len()])
                .into_iter()
                .collect::<BTreeSet<usize>>()
                .into_iter()
                .collect(),
            coefficient: unit * ((at * 7 % 23) as f64 - 11.0),
        };
        let terms: Vec<Term> = (0..60).map(term).collect();
        for bits in [false, true] {
            let build = if bits {
                Cost::from_bit_terms
            } else {
                Cost::from_terms
            };
            let cost = build(&register, &terms, 1.5).unwrap();
            let values = cost.values().into_owned();
            let variable = |b: usize| if bits { b as f64 } else { 1.0 - 2.0 * b as f64 };
            for index in (0..register.dimension()).step_by(997) {
                let x = register.digits(index).unwrap();
                let value = |term: &Term| -> f64 {
                    let factors = term.variables.iter().map(|&k| variable(x[k]));
                    term.coefficient * factors.product::<f64>()
                };
                let expected = 1.5 + terms.iter().map(value).sum::<f64>();
                assert!(
                    (values[index] - expected).abs() < 1e-12,
                    "{unit} {bits} {index}"
                );
            }
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!((cost.mean() - mean).abs() < 1e-9);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(values[cost.minimum_index()], least);
            let at_least = values.iter().filter(|&&c| c <= cost.minimum_threshold());
            assert_eq!(cost.minimum_count(), at_least.count());
        }
    }
}

#[test]
fn minimum_means_a_billionth_of_the_range_or_of_one() {
    let count = |near: f64, max: f64| {
        let cost = Cost::table(
            &register(&[2, 2]),
            vec![3.0, 3.0 + near, 3.0 + max, 3.0 + max],
        )
        .unwrap();
        cost.minimum_count()
    };
    assert_eq!([count(9e-9, 10.0), count(11e-9, 10.0)], [2, 1]);
    assert_eq!([count(0.9e-9, 0.1), count(1.1e-9, 0.1)], [2, 1]);
}

#[test]
fn a_constant_cost_has_no_spread() {
    let cost = Cost::from_fn(&register(&[2, 3]), |_| -4.25).unwrap();
    assert_eq!(
        (cost.mean(), cost.standard_deviation(), cost.minimum_count()),
        (-4.25, 0.0, 6)
    );
}

#[test]
fn costs_near_the_end_of_the_numbers_have_a_mean() {
    let cost = Cost::table(&register(&[2, 2]), vec![0.0, 1.7e308, 1.7e308, 1.7e308]).unwrap();
    assert!((cost.mean() / 1.275e308 - 1.0).abs() < 1e-12);
    assert!(cost.standard_deviation().is_finite());
}

#[test]
fn malformed_tables_are_refused() {
    let register = register(&[2, 3]);
    let table = |variables: &[usize], length: usize| Table {
        variables: variables.to_vec(),
        values: vec![1.0; length],
    };
    let refused = |tables: &[Table]| Cost::from_tables(&register, tables, 0.0).unwrap_err();
    assert_eq!(
        refused(&[table(&[0], 2), table(&[2], 2)]),
        Error::VariableOutOfRange {
            term: 1,
            variable: 2,
            axes: 2
        }
    );
    assert_eq!(
        refused(&[table(&[1, 1], 9)]),
        Error::RepeatedVariable {
            term: 0,
            variable: 1
        }
    );
    assert_eq!(
        refused(&[table(&[1], 2)]),
        Error::TableLength {
            table: 0,
            expected: 3,
            found: 2
        }
    );
    assert_eq!(
        Cost::table(&register, vec![0.0; 5]).unwrap_err(),
        Error::TableLength {
            table: 0,
            expected: 6,
            found: 5
        }
    );
}

#[test]
fn malformed_polynomials_are_refused() {
    let register = register(&[2, 3, 2]);
    let term = |variables: &[usize], coefficient| Term {
        variables: variables.to_vec(),
        coefficient,
    };
    let refused = |term: Term| Cost::from_terms(&register, &[term], 0.0).unwrap_err();
    assert_eq!(
        refused(term(&[0, 3], 1.0)),
        Error::VariableOutOfRange {
            term: 0,
            variable: 3,
            axes: 3
        }
    );
    assert_eq!(
        refused(term(&[0, 2, 0], 1.0)),
        Error::RepeatedVariable {
            term: 0,
            variable: 0
        }
    );
    assert_eq!(
        refused(term(&[0, 1], 1.0)),
        Error::NotAQubit {
            term: 0,
            variable: 1,
            levels: 3
        }
    );
    assert!(matches!(
        refused(term(&[0], f64::NAN)),
        Error::NotFinite {
            what: "coefficient",
            position: 0,
            ..
        }
    ));
}

#[test]
fn numbers_that_are_none_are_refused() {
    let register = register(&[2, 2]);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let table = Cost::table(&register, vec![0.0, 0.0, value, 0.0]).unwrap_err();
        assert!(matches!(
            table,
            Error::NotFinite {
                what: "cost",
                position: 2,
                ..
            }
        ));
        assert!(matches!(
            Cost::from_terms(&register, &[], value).unwrap_err(),
            Error::NotFinite { what: "offset", .. }
        ));
        assert!(matches!(
            Cost::from_tables(&register, &[], value).unwrap_err(),
            Error::NotFinite { what: "offset", .. }
        ));
        assert!(matches!(
            Cost::from_fn(&register, |_| value).unwrap_err(),
            Error::NotFinite { .. }
        ));
    }
    let range = Cost::table(&register, vec![-1e308, 1e308, 0.0, 0.0]).unwrap_err();
    assert_eq!(
        range,
        Error::CostRange {
            min: -1e308,
            max: 1e308
        }
    );
}

#[test]
fn a_table_beyond_the_memory_limit_is_refused_before_it_is_built() {
    let register = Register::qubits(40).unwrap().with_memory_limit(1 << 20);
    let needed = Error::MemoryLimit {
        needed_bytes: 8 << 40,
        allowed_bytes: 1 << 20,
    };
    assert_eq!(
        Cost::from_fn(&register, |_| unreachable!()).unwrap_err(),
        needed
    );
    assert_eq!(Cost::from_terms(&register, &[], 0.0).unwrap_err(), needed);
    assert_eq!(Cost::from_tables(&register, &[], 0.0).unwrap_err(), needed);
}
