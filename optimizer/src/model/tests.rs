use super::*;
use crate::simulator::Error as Refusal;
use proptest::prelude::*;

const MEMORY: u64 = 1 << 30;

fn faults(text: &str) -> Vec<String> {
    match Model::parse(text.as_bytes()) {
        Err(Error::Model(faults)) => faults.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn costs(text: &str) -> Vec<f64> {
    Model::parse(text.as_bytes())
        .unwrap()
        .cost(MEMORY)
        .unwrap()
        .values()
        .to_vec()
}

#[test]
fn spins_are_plus_one_on_level_zero() {
    let text = r#"{"vartype": "SPIN", "variables": 2, "terms": [{"vars": [0, 1], "coeff": 2}, {"vars": [1], "coeff": 0.5}], "offset": 10}"#;
    assert_eq!(costs(text), [12.5, 8.5, 7.5, 11.5]);
}

#[test]
fn bits_are_zero_on_level_zero() {
    let text = r#"{"vartype": "BINARY", "variables": 2, "terms": [{"vars": [1, 0], "coeff": 2}, {"vars": [1], "coeff": 0.5}, {"vars": [], "coeff": 1}]}"#;
    assert_eq!(costs(text), [1.0, 1.0, 1.5, 3.5]);
}

#[test]
fn tables_have_their_first_variable_fastest() {
    let text = r#"{"vartype": "DISCRETE", "variables": [2, 3], "tables": [{"vars": [1, 0], "values": [0, 1, 2, 10, 11, 12]}]}"#;
    assert_eq!(costs(text), [0.0, 10.0, 1.0, 11.0, 2.0, 12.0]);
}

#[test]
fn all_mistakes_are_named_with_their_places() {
    let text = r#"{"vartype": "SPIN", "variables": 3, "offset": "x", "extra": 1, "terms": [
        {"vars": [0, 3], "coeff": 1}, {"vars": [1, 1], "coeff": null}, {"vars": [0]}, {"coeff": 1, "vars": [-1], "k": 2}, 7]}"#;
    assert_eq!(
        faults(text),
        [
            "offset: is a text, not a finite number",
            "extra: is not a key here; the keys are vartype, variables, offset, terms",
            "terms[0].vars[1]: is 3, the model has 3 variables",
            "terms[1].vars: names variable 1 twice",
            "terms[1].coeff: is null, not a finite number",
            "terms[2].coeff: is missing",
            "terms[3].k: is not a key here; the keys are vars, coeff",
            "terms[3].vars[0]: is -1, not a whole number of at least 0",
            "terms[4]: is a number, not an object",
        ]
    );
}

#[test]
fn malformed_tables_are_refused() {
    let text = r#"{"vartype": "DISCRETE", "variables": [2, 1, 3], "tables": []}"#;
    assert_eq!(
        faults(text),
        ["variables[1]: is 1, not a whole number of at least 2"]
    );
    let text = r#"{"vartype": "DISCRETE", "variables": [], "tables": []}"#;
    assert_eq!(
        faults(text),
        ["variables: is empty, a model has at least one variable"]
    );
    let text = r#"{"vartype": "DISCRETE", "variables": [2, 3], "tables": [{"vars": [0, 1], "values": [1, 2]}]}"#;
    assert_eq!(
        faults(text),
        ["tables[0].values: has 2 values, its variables have 6 states"]
    );
    let text = r#"{"vartype": "DISCRETE", "variables": [2], "terms": []}"#;
    assert_eq!(
        faults(text),
        ["terms: is not a key here; the keys are vartype, variables, offset, tables"]
    );
}

#[test]
fn what_is_no_model_is_refused() {
    assert_eq!(faults("[]"), ["the file: is a list, not an object"]);
    assert_eq!(
        faults("{}"),
        ["vartype: is missing", "variables: is missing"]
    );
    assert_eq!(faults(r#"{"vartype": "X", "variables": 0}"#).len(), 2);
    assert!(
        faults("")
            .first()
            .unwrap()
            .starts_with("line 1, column 0: no JSON")
    );
    assert!(
        faults(&"[".repeat(100_000))
            .first()
            .unwrap()
            .contains("recursion limit")
    );
    assert!(faults(r#"{"vartype": "SPIN", "variables": 1e99}"#)[0].starts_with("variables: is 1e"));
    assert!(
        faults(r#"{"vartype": "SPIN", "variables": 2, "offset": 1e999}"#)[0].contains("no JSON")
    );
}

#[test]
fn large_models_are_read_but_have_no_table() {
    let model = Model::parse(br#"{"vartype": "SPIN", "variables": 40}"#).unwrap();
    assert!(matches!(
        model.cost(MEMORY),
        Err(Error::Simulator(Refusal::MemoryLimit { .. }))
    ));
    let model = Model::parse(br#"{"vartype": "BINARY", "variables": 2000}"#).unwrap();
    assert!(matches!(
        model.cost(MEMORY),
        Err(Error::Simulator(Refusal::DimensionOverflow { .. }))
    ));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in r#"[\[\]{}",:a-z0-9.\- ]{0,80}"#) {
        let _ = Model::parse(text.as_bytes());
    }

    #[test]
    fn no_model_makes_its_cost_panic(
        vartype in prop_oneof![Just("SPIN"), Just("BINARY"), Just("DISCRETE")],
        variables in prop_oneof![Just("4"), Just("[2,3]"), Just("99"), Just("null")],
        vars in prop::collection::vec(-1_i64..6, 0..4),
        coeff in prop_oneof![Just("1e308"), Just("-2"), Just("\"a\"")],
        key in prop_oneof![Just("terms"), Just("tables")],
    ) {
        let text = format!(
            r#"{{"vartype":"{vartype}","variables":{variables},"{key}":[{{"vars":{vars:?},"coeff":{coeff}}},{{"vars":{vars:?},"values":[{coeff},{coeff}]}}]}}"#
        );
        if let Ok(model) = Model::parse(text.as_bytes()) {
            let _ = model.cost(MEMORY);
        }
    }
}

/// Every family is what its definition says, and its file reads back the same.
#[test]
fn generated_models_agree_with_their_definitions() {
    let cost = |model: &Model| {
        let again = Model::parse(model.to_json().to_string().as_bytes()).unwrap();
        assert_eq!(&again, model);
        model.cost(MEMORY).unwrap()
    };
    let labs = cost(&Model::labs(9).unwrap());
    for (index, &value) in labs.values().iter().enumerate() {
        let s: Vec<i64> = (0..9).map(|i| 1 - 2 * (index as i64 >> i & 1)).collect();
        let energy: i64 = (1..9)
            .map(|k| (0..9 - k).map(|i| s[i] * s[i + k]).sum::<i64>().pow(2))
            .sum();
        assert_eq!(value, energy as f64);
    }
    let spins = cost(&Model::sherrington_kirkpatrick(8, 3).unwrap());
    // 28 couplings of ±1/√8: the variance over all states is 28/8.
    assert!((spins.standard_deviation() - 3.5_f64.sqrt()).abs() < 1e-12);
    assert!(spins.mean().abs() < 1e-12);
    for (n, degree) in [
        (2, 1),
        (4, 3),
        (10, 3),
        (10, 8),
        (10, 9),
        (31, 28),
        (60, 50),
        (100, 98),
        (500, 4),
    ] {
        let Model::Spin(graph) = Model::regular_maxcut(n, degree, 7).unwrap() else {
            panic!("spins")
        };
        let mut degrees = vec![0; n];
        graph
            .terms
            .iter()
            .flat_map(|term| &term.variables)
            .for_each(|&vertex| degrees[vertex] += 1);
        assert_eq!(degrees, vec![degree; n], "{n} vertices");
        assert_eq!(graph.offset, -0.25 * (n * degree) as f64);
    }
    let bits = cost(&Model::qubo(6, 1).unwrap());
    assert_eq!(bits.values()[0], 0.0);
    assert_eq!(Model::qubo(6, 1).unwrap(), Model::qubo(6, 1).unwrap());
    assert_ne!(Model::qubo(6, 1).unwrap(), Model::qubo(6, 2).unwrap());
}

#[test]
fn families_that_do_not_exist_are_refused() {
    let refused =
        |model: Result<Model, Error>| assert!(matches!(model, Err(Error::Setting { .. })));
    [0, 1, 100_000]
        .into_iter()
        .for_each(|n| refused(Model::labs(n)));
    [0, 1, 100_000]
        .into_iter()
        .for_each(|n| refused(Model::sherrington_kirkpatrick(n, 0)));
    [0, usize::MAX]
        .into_iter()
        .for_each(|n| refused(Model::qubo(n, 0)));
    for (n, degree) in [(0, 0), (4, 0), (4, 4), (5, 3), (usize::MAX, 2)] {
        refused(Model::regular_maxcut(n, degree, 0));
    }
}

fn model(kind: usize) -> impl Strategy<Value = Model> {
    let term = (
        prop::collection::btree_set(0..4_usize, 0..=4),
        -2.0..2.0_f64,
    );
    let term = term.prop_map(|(variables, coefficient)| Term {
        variables: variables.into_iter().rev().collect(),
        coefficient,
    });
    prop::collection::vec(term, 0..8).prop_map(move |terms| {
        let polynomial = Polynomial {
            variables: 4,
            terms: terms.clone(),
            offset: 0.25,
        };
        let levels = vec![2, 3, 2, 4];
        let table = |term: Term| Table {
            values: (0..term.variables.iter().map(|&v| levels[v]).product())
                .map(|i| (i as f64 + term.coefficient).sin())
                .collect(),
            variables: term.variables,
        };
        match kind {
            0 => Model::Spin(polynomial),
            1 => Model::Binary(polynomial),
            _ => Model::Discrete {
                tables: terms.into_iter().map(table).collect(),
                levels: levels.clone(),
                offset: -1.0,
            },
        }
    })
}

proptest! {
    #[test]
    fn the_terms_give_the_cost_of_the_register(model in (0_usize..3).prop_flat_map(model)) {
        let cost = model.cost(MEMORY).unwrap();
        for (index, &expected) in cost.values().iter().enumerate() {
            let digits = cost.register().digits(index).unwrap();
            prop_assert!((model.value(&digits).unwrap() - expected).abs() < 1e-12);
        }
        prop_assert_eq!(model.levels(), cost.register().levels());
    }
}

#[test]
fn values_are_the_models_own() {
    let [spin, binary] = ["SPIN", "BINARY"].map(|vartype| {
        let text = format!(r#"{{"vartype": "{vartype}", "variables": 2, "terms": [{{"vars": [0, 1], "coeff": 1}}]}}"#);
        Model::parse(text.as_bytes()).unwrap()
    });
    assert_eq!(spin.values_of(&[0, 1]), [1, -1]);
    assert_eq!(binary.values_of(&[0, 1]), [0, 1]);
    assert_eq!((spin.degree(), spin.value(&[0, 1])), (2, Ok(-1.0)));
    assert!(matches!(
        spin.value(&[0]),
        Err(Error::Simulator(Refusal::DigitsLength { .. }))
    ));
    assert!(matches!(
        spin.value(&[0, 2]),
        Err(Error::Simulator(Refusal::DigitOutOfRange { axis: 1, .. }))
    ));
    let stray = Model::Spin(Polynomial {
        variables: 1,
        terms: vec![Term {
            variables: vec![3],
            coefficient: 1.0,
        }],
        offset: 0.0,
    });
    assert!(matches!(
        stray.value(&[0]),
        Err(Error::Simulator(Refusal::VariableOutOfRange { .. }))
    ));
}

#[test]
fn angles_may_have_the_deviation_that_they_are_for() {
    let text = br#"{"gamma": [0.1], "beta": [0.2], "deviation": 2.5}"#;
    let earlier = Model::parse_earlier(text).unwrap();
    assert_eq!(earlier.deviation, Some(2.5));
    assert_eq!(Model::parse_angles(text).unwrap(), earlier.angles);
    let refused =
        Model::parse_earlier(br#"{"gamma": [], "beta": ["x"], "deviation": 0}"#).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "beta[0]: is a text, not a finite number\ndeviation: is 0, not above 0"
    );
}
