//! The JSON Schema of the problem file.

use serde_json::{Map, Value, json};

use super::document::{ProblemFile, SCHEMA};

/// The JSON Schema (draft 2020-12) of the problem file, generated from [`ProblemFile`].
pub fn json_schema() -> Value {
    let generated = schemars::schema_for!(ProblemFile).to_value();
    published(generated, SCHEMA, "problem.v1", "Ketscale problem file, v1")
}

/// A generated schema with what the types do not say: its address, its title, the only value of `schema`, the ranges of integers.
pub(crate) fn published(mut generated: Value, schema_key: &str, id: &str, title: &str) -> Value {
    refine(&mut generated);
    if let Some(keyword) = generated
        .pointer_mut("/properties/schema")
        .and_then(Value::as_object_mut)
    {
        keyword.insert("const".to_owned(), json!(schema_key));
    }
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert(
        "$id".to_owned(),
        json!(format!("https://ketscale.dev/schema/{id}.json")),
    );
    schema.insert("title".to_owned(), json!(title));
    if let Value::Object(generated) = generated {
        for (keyword, value) in generated {
            schema.entry(keyword).or_insert(value);
        }
    }
    Value::Object(schema)
}

/// Gives every integer the bounds of its format, which JSON Schema itself does not know, and every description one line.
fn refine(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let bounds = match object.get("format").and_then(Value::as_str) {
                Some("uint32") => Some((0, i64::from(u32::MAX))),
                Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
                _ => None,
            };
            if let Some((minimum, maximum)) = bounds {
                object.insert("minimum".to_owned(), json!(minimum));
                object.insert("maximum".to_owned(), json!(maximum));
            }
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            object.values_mut().for_each(refine);
        }
        Value::Array(list) => list.iter_mut().for_each(refine),
        _ => {}
    }
}
