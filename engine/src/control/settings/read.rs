//! Reads control settings: every mistake of a file at once, with its path and line.

use std::sync::LazyLock;

use serde_json::Value;

use super::{SCHEMA, Settings, validate};
use crate::problem::{Format, InputErrors, published, read_as};

static JSON_SCHEMA: LazyLock<Value> = LazyLock::new(json_schema);

/// The JSON Schema (draft 2020-12) of control settings, generated from [`Settings`].
pub fn json_schema() -> Value {
    let generated = schemars::schema_for!(Settings).to_value();
    published(
        generated,
        SCHEMA,
        "control.v1",
        "Ketscale control settings, v1",
    )
}

/// Reads control settings from YAML or JSON.
///
/// # Errors
/// Every mistake found, with its path and line.
pub fn read(bytes: &[u8], file: &str) -> Result<Settings, InputErrors> {
    let format = Format {
        schema: SCHEMA,
        noun: "control settings file",
        json_schema: &JSON_SCHEMA,
    };
    read_as(bytes, file, &format, validate::mistakes)
}
