//! Control settings: what is read, and every mistake at once with its path and line.

use ketscale_engine::control::{Settings, json_schema, read};

#[test]
fn the_schema_line_alone_is_all_defaults() {
    let settings = read(b"schema: ketscale.control/v1\n", "control.yaml").unwrap();
    assert_eq!(settings, Settings::default());
}

#[test]
fn settings_read_back_what_they_write() {
    let text = serde_json::to_vec(&Settings::default()).unwrap();
    assert_eq!(read(&text, "control.json").unwrap(), Settings::default());
}

#[test]
fn a_section_given_in_part_keeps_the_other_defaults() {
    let text = "
schema: ketscale.control/v1
demand: {tolerance: 0.2}
scale_down: {policies: [{percent: 10, period_seconds: 60}]}
";
    let settings = read(text.as_bytes(), "control.yaml").unwrap();
    let mut expected = Settings::default();
    expected.demand.tolerance = 0.2;
    expected.scale_down = settings.scale_down.clone();
    assert_eq!(settings, expected);
    assert_eq!(settings.scale_down.stabilization_seconds, None);
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    let text = "\
schema: ketscale.control/v1
replan_secnds: 5
demand:
  tolerance: 1.5
  confirm_readings: 0
intake: {jump_factor: 0.5, stale_seconds: -1}
scale_up:
  policies:
  - {period_seconds: 60}
  - {pods: 3, percent: 4, period_seconds: 0}
quiet_hours:
- {from: '25:00', to: '06:00'}
acting: hap
spend:
  monthly_budget_usd: -3
  credits: [{name: a, usd: 5}, {name: a, usd: 6}]
forecast: {quantile: 2}
";
    let errors = read(text.as_bytes(), "control.yaml").unwrap_err();
    let told: Vec<(usize, &str)> = (errors.issues.iter())
        .map(|issue| (issue.line.unwrap_or(0), issue.path.as_str()))
        .collect();
    for expected in [
        (2, "replan_secnds"),
        (4, "demand.tolerance"),
        (5, "demand.confirm_readings"),
        (6, "intake.jump_factor"),
        (6, "intake.stale_seconds"),
        (9, "scale_up.policies[0]"),
        (10, "scale_up.policies[1]"),
        (12, "quiet_hours[0]"),
        (13, "acting"),
        (15, "spend.monthly_budget_usd"),
        (16, "spend.credits.a.name"),
        (17, "forecast.quantile"),
    ] {
        assert!(
            told.contains(&expected),
            "{expected:?} is not told:\n{errors}"
        );
    }
    assert!(
        errors.to_string().contains("did you mean replan_seconds?"),
        "{errors}"
    );
}

#[test]
fn a_file_without_its_schema_is_refused() {
    let errors = read(b"replan_seconds: 5\n", "control.yaml").unwrap_err();
    assert!(
        errors.to_string().contains("schema: is missing"),
        "{errors}"
    );
    let errors = read(b"schema: ketscale.problem/v1\n", "control.yaml").unwrap_err();
    assert!(
        errors.to_string().contains("expected ketscale.control/v1"),
        "{errors}"
    );
    let errors = read(b"", "control.yaml").unwrap_err();
    assert!(
        errors.to_string().contains("control settings file"),
        "{errors}"
    );
}

#[test]
fn every_key_of_the_schema_says_what_it_is() {
    fn undocumented(schema: &serde_json::Value, at: &str, found: &mut Vec<String>) {
        let properties = schema.get("properties").and_then(|p| p.as_object());
        for (key, value) in properties.into_iter().flatten() {
            if value.get("description").is_none() {
                found.push(format!("{at}.{key}"));
            }
        }
        for (name, definition) in schema
            .get("$defs")
            .and_then(|d| d.as_object())
            .into_iter()
            .flatten()
        {
            undocumented(definition, name, found);
        }
    }
    let mut found = Vec::new();
    undocumented(&json_schema(), "", &mut found);
    assert!(found.is_empty(), "{found:?}");
}
