//! Checks a document against the JSON Schema of its format, such as the problem file's.
//!
//! Only the keywords that the generated schema uses are known, which a test holds. A general validator would be shorter
//! here, but those that tell all errors build them all first: gigabytes for a hostile file, where this stops at the last one told.

use serde_json::{Map, Value};

use super::expected::{Expected, quoted};
use super::issue::{Mistake, Mistakes, Place, Step, suggestion};

/// A file format.
pub(crate) struct Format<'a> {
    /// The only value of its `schema` key.
    pub(crate) schema: &'a str,
    /// What a file of it holds, in a word.
    pub(crate) noun: &'a str,
    /// Its JSON Schema.
    pub(crate) json_schema: &'a Value,
}

/// What a mistake against the schema leaves of the document for further checks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Remedy {
    /// Take the key out; the rest is as it was.
    Remove,
    /// Put this in its place; what depends on it cannot be checked.
    Replace(Value),
    /// Nothing: further checks would find mistakes that are not there.
    None,
}

/// The mistakes of the document against the schema, and the remedy of each one kept.
pub(super) fn check(format: &Format<'_>, document: &Value) -> (Mistakes, Vec<Remedy>) {
    let mut checker = Checker {
        format,
        place: Place::new(),
        mistakes: Mistakes::default(),
        remedies: Vec::new(),
    };
    checker.check(format.json_schema, document);
    (checker.mistakes, checker.remedies)
}

struct Checker<'a> {
    format: &'a Format<'a>,
    /// Where the walk is.
    place: Place,
    mistakes: Mistakes,
    remedies: Vec<Remedy>,
}

impl Checker<'_> {
    fn check(&mut self, schema: &Value, value: &Value) {
        let root = self.format.json_schema;
        let schema = resolved(root, schema);
        if !self.mistakes.has_room() {
            self.mistakes.note_more();
        } else if !accepts(root, schema, value) {
            let expected = Expected::of(root, schema);
            self.tell(
                self.place.clone(),
                self.refusal(&expected, value),
                expected
                    .example
                    .clone()
                    .map_or(Remedy::None, Remedy::Replace),
            );
        } else if let Some(branch) =
            branches(schema).find(|branch| accepts(root, resolved(root, branch), value))
        {
            self.check(branch, value);
        } else {
            match value {
                Value::Object(entries) => self.check_entries(schema, entries),
                Value::Array(items) => self.check_items(schema, items),
                Value::Number(_) => self.check_range(schema, value),
                _ => {}
            }
        }
    }

    fn check_entries(&mut self, schema: &Value, entries: &Map<String, Value>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema
            .get("additionalProperties")
            .unwrap_or(&Value::Bool(true));
        for key in schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !entries.contains_key(key) {
                self.tell(self.below(key), "is missing".to_owned(), Remedy::None);
            }
        }
        for (key, value) in entries {
            if !self.mistakes.has_room() {
                self.mistakes.note_more();
                return;
            }
            match properties
                .and_then(|properties| properties.get(key))
                .unwrap_or(others)
            {
                Value::Bool(true) => {}
                Value::Bool(false) => self.tell(
                    self.below(key),
                    unknown_key(key, properties),
                    Remedy::Remove,
                ),
                schema => {
                    self.place.push(Step::Key(key.clone()));
                    self.check(schema, value);
                    self.place.pop();
                }
            }
        }
    }

    fn check_items(&mut self, schema: &Value, items: &[Value]) {
        let Some(schema) = schema.get("items") else {
            return;
        };
        for (index, item) in items.iter().enumerate() {
            if !self.mistakes.has_room() {
                self.mistakes.note_more();
                return;
            }
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            self.place.push(Step::Item(index, name.to_owned()));
            self.check(schema, item);
            self.place.pop();
        }
    }

    fn check_range(&mut self, schema: &Value, value: &Value) {
        let bound = |keyword: &str| {
            schema
                .get(keyword)
                .and_then(|limit| Some((limit, limit.as_f64()?)))
        };
        let Some(number) = value.as_f64() else { return };
        if let Some((limit, _)) = bound("minimum").filter(|(_, limit)| number < *limit) {
            self.tell(
                self.place.clone(),
                format!("{value} is below {limit}"),
                Remedy::Replace(limit.clone()),
            );
        } else if let Some((limit, _)) = bound("maximum").filter(|(_, limit)| number > *limit) {
            self.tell(
                self.place.clone(),
                format!("{value} is above {limit}"),
                Remedy::Replace(limit.clone()),
            );
        }
    }

    fn refusal(&self, expected: &Expected, value: &Value) -> String {
        if matches!(self.place.as_slice(), [Step::Key(key)] if key == "schema") && value.is_string()
        {
            return format!(
                "{} is not a schema that this version reads; expected {}",
                quoted(value),
                self.format.schema
            );
        }
        expected.refuse(value)
    }

    fn below(&self, key: &str) -> Place {
        let mut place = self.place.clone();
        place.push(Step::Key(key.to_owned()));
        place
    }

    fn tell(&mut self, place: Place, message: String, remedy: Remedy) {
        if self.mistakes.has_room() {
            self.remedies.push(remedy);
        }
        self.mistakes.push(Mistake { place, message });
    }
}

/// The schema that a reference stands for. What stands beside `$ref` only documents.
pub(super) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'));
    target
        .and_then(|pointer| root.pointer(pointer))
        .unwrap_or(schema)
}

/// The alternatives of a union; none where the schema is none.
pub(super) fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword)?.as_array())
        .flatten()
}

/// Whether the value as a whole is of the schema's type and among its words; what is inside is not looked at. No value is
/// accepted by two alternatives of a union, so this chooses between them.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let is_type = |name: &Value| match name.as_str() {
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => {
            value.is_i64()
                || value.is_u64()
                || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let mut alternatives = branches(schema).peekable();
    (alternatives.peek().is_none()
        || alternatives.any(|branch| accepts(root, resolved(root, branch), value)))
        && match schema.get("type") {
            None => true,
            Some(Value::Array(names)) => names.iter().any(is_type),
            Some(name) => is_type(name),
        }
        && schema.get("const").is_none_or(|word| word == value)
        && schema
            .get("enum")
            .and_then(Value::as_array)
            .is_none_or(|words| words.contains(value))
}

/// The message for a key that is not among the known ones.
fn unknown_key(key: &str, known: Option<&Map<String, Value>>) -> String {
    let known: Vec<&str> = known
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    let near = suggestion(key, known.iter().copied());
    if near.is_empty() {
        format!("unknown key; known here: {}", known.join(", "))
    } else {
        format!("unknown key{near}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::LazyLock;

    use serde_json::json;

    use super::*;
    use crate::problem::{SCHEMA, json_schema};

    static SCHEMA_VALUE: LazyLock<Value> = LazyLock::new(json_schema);

    fn check(document: &Value) -> (Mistakes, Vec<Remedy>) {
        let format = Format {
            schema: SCHEMA,
            noun: "problem",
            json_schema: &SCHEMA_VALUE,
        };
        super::check(&format, document)
    }

    /// Keywords that [`Checker`] follows, and those that only document.
    const KNOWN: [&str; 19] = [
        "$ref",
        "type",
        "const",
        "enum",
        "anyOf",
        "oneOf",
        "properties",
        "additionalProperties",
        "required",
        "items",
        "minimum",
        "maximum",
        "$schema",
        "$id",
        "$defs",
        "title",
        "description",
        "default",
        "format",
    ];

    fn assert_known(schema: &Value) {
        let Some(object) = schema.as_object() else {
            return;
        };
        for (keyword, value) in object {
            assert!(
                KNOWN.contains(&keyword.as_str()),
                "the checker does not know {keyword}"
            );
            match keyword.as_str() {
                "properties" | "$defs" => {
                    value.as_object().unwrap().values().for_each(assert_known)
                }
                "anyOf" | "oneOf" => value.as_array().unwrap().iter().for_each(assert_known),
                "items" | "additionalProperties" => assert_known(value),
                _ => {}
            }
        }
    }

    fn document() -> Value {
        json!({
            "schema": SCHEMA, "name": "n", "horizon_hours": 1, "synthetic": true,
            "clusters": [{"name": "c", "provider": "aws", "region": "r"}],
            "services": [{
                "name": "a/b", "kind": "StatefulSet", "clusters": {"c": {"min": 0, "max": 2, "now": null}},
                "requests": {"cpu": 1, "memory": "1Gi"}, "load": {"rps": 1.5}, "slo": null, "priority": -5,
                "placement": {
                    "selector": {"k": ["v", "w"], "l": "x"}, "tolerations": [{"effect": "NoSchedule"}], "max_skew": 1,
                    "survive": "node", "zonal_volumes": {"0": "z"}
                },
            }],
            "pools": [{
                "name": "p", "cluster": "c", "taints": [{"key": "k", "effect": "NoExecute"}],
                "offerings": [{"instance_type": "t", "zone": "z", "capacity_type": "on-demand", "allocatable": {"cpu": "2"}}]
            }],
            "current": {"nodes": [{"name": "n", "pool": "p", "offering": "o", "pods": {"a/b": 1}}]},
            "policy": {"relax": ["spot_share"], "caps": [{"name": "c", "capacity_types": ["spot"]}]}
        })
    }

    /// Every value inside `value`, by JSON pointer.
    fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        let token = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(entries) => entries
                .iter()
                .for_each(|(key, inner)| pointers(inner, &format!("{at}/{}", token(key)), all)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(i, inner)| pointers(inner, &format!("{at}/{i}"), all)),
            _ => {}
        }
    }

    /// The same verdict as a general validator on every document that differs from a good one in one value or key.
    #[test]
    fn the_checker_agrees_with_a_general_validator() {
        let reference = jsonschema::validator_for(&SCHEMA_VALUE).unwrap();
        let good = document();
        assert!(reference.is_valid(&good) && check(&good).0.is_empty());
        let strange = [
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(2.5),
            json!(1e300),
            json!(4_294_967_296_u64),
            json!(""),
            json!("spot"),
            json!("node"),
            json!("Equal"),
            json!([]),
            json!([1]),
            json!(["x"]),
            json!({}),
            json!({"x": 1}),
            json!({"x": "y"}),
            json!([{}]),
        ];
        let mut all = Vec::new();
        pointers(&good, "", &mut all);
        let mut refused = 0;
        for pointer in &all {
            let mut variants: Vec<Value> = strange.to_vec();
            if let Some(entries) = good.pointer(pointer).unwrap().as_object() {
                for key in entries.keys() {
                    let mut fewer = entries.clone();
                    fewer.remove(key);
                    variants.push(Value::Object(fewer));
                }
                let mut more = entries.clone();
                more.insert("more".to_owned(), json!(1));
                variants.push(Value::Object(more));
            }
            for variant in variants {
                let mut document = good.clone();
                *document.pointer_mut(pointer).unwrap() = variant;
                let valid = reference.is_valid(&document);
                let (mistakes, remedies) = check(&document);
                assert_eq!(
                    mistakes.is_empty(),
                    valid,
                    "{pointer}: {}",
                    document.pointer(pointer).unwrap()
                );
                assert_eq!(mistakes.kept().len(), remedies.len());
                refused += usize::from(!valid);
            }
        }
        assert!(refused > 500, "{refused}");
    }

    #[test]
    fn every_keyword_of_the_schema_is_checked() {
        assert_known(&SCHEMA_VALUE);
    }
}
