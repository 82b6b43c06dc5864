use super::*;
use proptest::prelude::*;

/// Terms over `n` spins of degree at most two, small whole coefficients, repeated and cancelling ones among them.
fn terms(n: usize) -> impl Strategy<Value = Vec<Term>> {
    let term = (prop::collection::btree_set(0..n, 0..=2.min(n)), -2_i8..=2);
    let term = term.prop_map(|(variables, coefficient)| Term {
        variables: variables.into_iter().collect(),
        coefficient: f64::from(coefficient),
    });
    prop::collection::vec(term, 0..20)
}

fn spins_of(index: usize, n: usize) -> Vec<i8> {
    (0..n)
        .map(|i| if index >> i & 1 == 1 { -1 } else { 1 })
        .collect()
}

fn model(binary: bool, variables: usize, terms: Vec<Term>) -> Model {
    let polynomial = crate::model::Polynomial {
        variables,
        terms,
        offset: 0.25,
    };
    if binary {
        Model::Binary(polynomial)
    } else {
        Model::Spin(polynomial)
    }
}

proptest! {
    #[test]
    fn energies_are_the_costs_of_the_register(
        (n, terms) in (1_usize..7).prop_flat_map(|n| (Just(n), terms(n))),
        binary: bool,
    ) {
        let model = model(binary, n, terms);
        let ising = Ising::from_model(&model).unwrap();
        for (index, &cost) in model.cost(1 << 20).unwrap().values().iter().enumerate() {
            prop_assert!((ising.energy(&spins_of(index, n)).unwrap() - cost).abs() < 1e-12);
        }
    }

    #[test]
    fn eliminating_a_spin_keeps_the_energy_of_those_who_follow_the_rule(
        terms in terms(6), i in 0_usize..6, other in 1_usize..6, up: bool,
    ) {
        let (j, sign) = ((i + other) % 6, if up { 1_i8 } else { -1 });
        let whole = Ising::new(6, &terms, 0.5).unwrap();
        let (mut fixed, mut tied) = (whole.clone(), whole.clone());
        let undo_fixed = fixed.fix(i, f64::from(sign));
        let undo_tied = tied.tie(i, j, f64::from(sign));
        for index in 0..64 {
            let mut spins = spins_of(index, 6);
            spins[i] = sign;
            prop_assert_eq!(fixed.sum(&spins), whole.sum(&spins));
            spins[i] = sign * spins[j];
            prop_assert_eq!(tied.sum(&spins), whole.sum(&spins));
        }
        for (mut reduced, undo) in [(fixed, undo_fixed), (tied, undo_tied)] {
            prop_assert!(reduced.couplings()[i].is_empty() && reduced.fields()[i] == 0.0);
            for (a, of) in reduced.couplings().iter().enumerate() {
                for &(b, coupling) in of {
                    prop_assert!(coupling != 0.0 && a != b);
                    prop_assert!(reduced.couplings()[b].contains(&(a, coupling)));
                }
                prop_assert!(of.windows(2).all(|two| two[0].0 < two[1].0));
            }
            reduced.restore(undo);
            prop_assert_eq!(reduced.couplings(), whole.couplings());
            prop_assert_eq!(reduced.fields(), whole.fields());
        }
    }
}

#[test]
fn what_cancels_but_for_rounding_is_no_coupling() {
    let term = |i, j, coefficient| Term {
        variables: vec![i, j],
        coefficient,
    };
    let terms = [term(0, 1, 0.1 + 0.2), term(1, 2, 1.0), term(0, 2, 0.3)];
    let mut ising = Ising::new(3, &terms, 0.0).unwrap();
    ising.tie(2, 1, 1.0);
    assert!((ising.couplings()[0][0].1 - 0.6).abs() < 1e-12);
    let mut ising = Ising::new(3, &terms, 0.0).unwrap();
    ising.tie(2, 1, -1.0);
    assert_eq!(ising.couplings(), [vec![], vec![], vec![]]);
}

#[test]
fn normalising_keeps_every_digit() {
    for size in [3e-300, 0.7, 1.0, 5e300] {
        let terms = [1.0, 0.3].map(|share| Term {
            variables: vec![usize::from(share < 1.0)],
            coefficient: share * size,
        });
        let ising = Ising::new(2, &terms, size).unwrap();
        let (normal, scale) = ising.normalised();
        assert!((1.0..2.0).contains(&normal.fields()[0]));
        let back: Vec<f64> = normal.fields().iter().map(|h| h * scale).collect();
        assert_eq!(back, ising.fields());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |n: usize, variables: &[usize], coefficient: f64| {
        let terms = [Term {
            variables: variables.to_vec(),
            coefficient,
        }];
        let binary = Ising::from_model(&model(true, n, terms.to_vec()));
        let spin = Ising::new(n, &terms, 0.0).unwrap_err();
        assert_eq!(binary, Err(spin.clone()));
        spin.to_string()
    };
    assert!(refused(2, &[0, 2], 1.0).contains("variable 2"));
    assert!(refused(2, &[1, 1], 1.0).contains("twice"));
    assert!(refused(2, &[1], f64::INFINITY).contains("finite"));
    assert!(refused(4, &[0, 1, 2], 1.0).contains("terms[0] has 3 variables"));
    assert!(refused(0, &[], 1.0).contains("at least one axis"));
    let large = |variable| Term {
        variables: vec![variable],
        coefficient: 1e308,
    };
    let overflow = Ising::new(2, &[large(0), large(1)], 0.0);
    assert!(matches!(
        overflow,
        Err(Error::Simulator(Refusal::CostRange { .. }))
    ));
    let tables = Model::Discrete {
        levels: vec![3],
        tables: vec![],
        offset: 0.0,
    };
    assert!(matches!(
        Ising::from_model(&tables),
        Err(Error::NotQuadratic { .. })
    ));
    let ising = Ising::new(2, &[], 0.0).unwrap();
    assert!(ising.energy(&[1]).is_err());
}
