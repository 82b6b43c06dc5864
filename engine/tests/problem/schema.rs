//! The JSON Schema that is handed out.

use ketscale_engine::problem::json_schema;

use crate::example::{edited, example};
use crate::refusals::{MEANING_REFUSALS, Refusal, SCHEMA_REFUSALS};

#[test]
fn the_schema_under_docs_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/problem.schema.json");
    let generated = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os("KETSCALE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == generated,
        "docs/problem.schema.json is out of date; write it anew with KETSCALE_BLESS=1"
    );
}

#[test]
fn the_schema_documents_every_key_and_accepts_the_example() {
    let schema = json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let example = serde_json::to_value(example()).unwrap();
    assert!(validator.is_valid(&example));
    assert_eq!(
        schema["properties"]["schema"]["const"],
        "ketscale.problem/v1"
    );
    let types = schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .chain([&schema]);
    for (name, property) in types
        .filter_map(|kind| kind.get("properties")?.as_object())
        .flatten()
    {
        assert!(
            property["description"].is_string(),
            "{name} has no description"
        );
    }
}

#[test]
fn the_schema_refuses_what_we_refuse_by_it_and_no_more() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    let refused = |(find, replace, ..): &Refusal| {
        let source = edited(find, replace)
            .replace(".nan", "'.nan'")
            .replace(".inf", "'.inf'")
            .replace("1e999", "'.inf'");
        let options = serde_saphyr::options! { strict_booleans: true };
        let document: serde_json::Value =
            serde_saphyr::from_str_with_options(&source, options).unwrap();
        !validator.is_valid(&document)
    };
    for refusal in SCHEMA_REFUSALS {
        assert!(refused(refusal), "{refusal:?}");
    }
    for refusal in MEANING_REFUSALS {
        assert!(!refused(refusal), "{refusal:?}");
    }
}
