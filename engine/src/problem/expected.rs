//! What a schema accepts at one place, in the words of a message.

use serde_json::{Value, json};

use super::conform::{branches, resolved};
use super::issue::{shown, suggestion};

/// What would have been accepted at a place.
#[derive(Default)]
pub(super) struct Expected {
    /// Types, in words.
    types: Vec<&'static str>,
    /// Exact values.
    words: Vec<String>,
    /// A value that would do.
    pub(super) example: Option<Value>,
}

impl Expected {
    /// What a schema accepts, whose references are to `root`.
    pub(super) fn of(root: &Value, schema: &Value) -> Self {
        let mut expected = Self::default();
        expected.gather(root, schema);
        expected
    }

    fn gather(&mut self, root: &Value, schema: &Value) {
        let schema = resolved(root, schema);
        branches(schema).for_each(|branch| self.gather(root, branch));
        let words = schema.get("enum").and_then(Value::as_array);
        let words: Vec<&Value> = words
            .into_iter()
            .flatten()
            .chain(schema.get("const"))
            .collect();
        match schema.get("type") {
            _ if !words.is_empty() => words.into_iter().for_each(|word| self.add_word(word)),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .for_each(|name| self.add_type(name)),
            Some(Value::String(name)) => self.add_type(name),
            _ => {}
        }
    }

    /// `null` stands for an optional key that is left out, which nobody needs to be told to write.
    fn add_type(&mut self, name: &str) {
        let (words, example) = match name {
            "string" => ("a string", json!("")),
            "number" => ("a number", json!(0)),
            "integer" => ("a whole number", json!(0)),
            "boolean" => ("true or false", json!(false)),
            "array" => ("a list", json!([])),
            "object" => ("a mapping", json!({})),
            _ => return,
        };
        if !self.types.contains(&words) {
            self.types.push(words);
        }
        self.example.get_or_insert(example);
    }

    fn add_word(&mut self, word: &Value) {
        self.words.push(
            word.as_str()
                .map_or_else(|| word.to_string(), str::to_owned),
        );
        self.example.get_or_insert_with(|| word.clone());
    }

    /// The message for a value that is none of this.
    pub(super) fn refuse(&self, value: &Value) -> String {
        let wanted = if self.words.is_empty() {
            self.types.join(" or ")
        } else {
            format!("one of {}", self.words.join(", "))
        };
        match value {
            Value::Null => format!("is empty; expected {wanted}"),
            Value::String(text)
                if is_non_finite(text)
                    && self.types.iter().any(|words| words.contains("number")) =>
            {
                format!("{text} is not a finite number")
            }
            Value::String(text) => {
                format!(
                    "{} is not {wanted}{}",
                    quoted(value),
                    suggestion(text, self.words.iter().map(String::as_str))
                )
            }
            Value::Number(_) | Value::Bool(_)
                if self.words.is_empty() && self.types.first() == Some(&"a string") =>
            {
                format!("{value} is not {wanted}; put it in quotes: \"{value}\"")
            }
            _ => format!("{} is not {wanted}", quoted(value)),
        }
    }
}

/// Spellings of numbers that JSON cannot hold: YAML's, and those of programs that print them all the same.
pub(super) fn is_non_finite(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-', '.']);
    ["nan", "inf", "infinity"]
        .iter()
        .any(|word| digits.eq_ignore_ascii_case(word))
}

/// The value as a message repeats it; collections by kind only.
pub(super) fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", shown(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => other.to_string(),
    }
}
