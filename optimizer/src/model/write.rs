//! Writing a model file.

use super::{Model, Polynomial};
use serde_json::{Value, json};

impl Model {
    /// The model as a file that [`Model::parse`] reads back.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Spin(model) => polynomial("SPIN", model),
            Self::Binary(model) => polynomial("BINARY", model),
            Self::Discrete {
                levels,
                tables,
                offset,
            } => {
                let table =
                    |table: &super::Table| json!({"vars": table.variables, "values": table.values});
                let tables: Vec<Value> = tables.iter().map(table).collect();
                json!({"vartype": "DISCRETE", "variables": levels, "tables": tables, "offset": offset})
            }
        }
    }
}

fn polynomial(vartype: &str, model: &Polynomial) -> Value {
    let term = |term: &super::Term| json!({"vars": term.variables, "coeff": term.coefficient});
    let terms: Vec<Value> = model.terms.iter().map(term).collect();
    json!({"vartype": vartype, "variables": model.variables, "terms": terms, "offset": model.offset})
}
