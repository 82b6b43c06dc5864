//! The chart: what is on it.

use ketscale_engine::replay::{Policy, Settings, chart, replay};

use super::{one_service, steps};

#[test]
fn the_chart_has_a_row_for_every_policy_and_only_numbers() {
    let problem = one_service(&[]);
    let trace = steps(&problem, &[10.0, 30.0, 30.0, 12.0]);
    let policies = [50, 80].map(|target_percent| Policy::Hpa { target_percent });
    let settings = Settings {
        policies: policies.to_vec(),
        ..Settings::default()
    };
    let svg = chart(&replay(&problem, &trace, &settings).unwrap(), &trace).unwrap();
    assert!(
        svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
        "{svg}"
    );
    for text in [
        "hpa-50: replicas",
        "hpa-80: USD per hour",
        "requests per second",
    ] {
        assert!(svg.contains(text), "{text} is missing in\n{svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn a_load_of_nothing_can_be_drawn() {
    let problem = one_service(&[]);
    let trace = steps(&problem, &[0.0, 0.0]);
    let settings = Settings {
        policies: vec![Policy::Hpa { target_percent: 50 }],
        ..Settings::default()
    };
    let svg = chart(&replay(&problem, &trace, &settings).unwrap(), &trace).unwrap();
    assert!(!svg.contains("NaN"), "{svg}");
}
