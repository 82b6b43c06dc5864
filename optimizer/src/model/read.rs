//! Reading a model file, with all its mistakes in one go.

use super::{Model, Polynomial};
use crate::Fault;
use crate::angles::Earlier;
use ketscale_simulator::{Angles, Table, Term};
use serde_json::{Map, Value};

/// Mistakes beyond this many are not listed: a file of another kind would drown its reader.
const MAX_FAULTS: usize = 100;

pub(super) fn model(bytes: &[u8]) -> Result<Model, Vec<Fault>> {
    read(bytes, Reader::model)
}

/// Angles of both kinds, as many of each, and perhaps the standard deviation of the cost that they were found for.
pub(super) fn angles(bytes: &[u8]) -> Result<Earlier, Vec<Fault>> {
    read(bytes, |reader, value| {
        let file = reader.object("", value, &["gamma", "beta", "deviation"])?;
        let mut list = |key: &str| {
            let value = reader.required(file, "", key)?;
            reader.all(key, value, Reader::number)
        };
        let (gamma, beta) = (list("gamma"), list("beta"));
        let deviation =
            file.get("deviation")
                .map(|value| match reader.number("deviation", value)? {
                    deviation if deviation > 0.0 => Some(deviation),
                    other => reader.fault("deviation", format!("is {other}, not above 0")),
                });
        let (gamma, beta) = (gamma?, beta?);
        if gamma.len() != beta.len() {
            let reason = format!(
                "has {} angles and gamma {}: both need one a layer",
                beta.len(),
                gamma.len()
            );
            return reader.fault("beta", reason);
        }
        let deviation = match deviation {
            Some(deviation) => Some(deviation?),
            None => None,
        };
        Some(Earlier {
            angles: Angles { gamma, beta },
            deviation,
        })
    })
}

/// What a file with a start state says.
#[derive(Debug)]
pub(super) enum StartFile {
    Warm {
        incumbent: Vec<usize>,
        epsilon: Option<f64>,
    },
    Product(Vec<Vec<f64>>),
}

pub(super) fn start(bytes: &[u8]) -> Result<StartFile, Vec<Fault>> {
    read(bytes, |reader, value| {
        let file = reader.object("", value, &["incumbent", "epsilon", "amplitudes"])?;
        if let Some(value) = file.get("amplitudes") {
            for key in ["incumbent", "epsilon"]
                .into_iter()
                .filter(|key| file.contains_key(*key))
            {
                reader.fault::<()>(key, "has no place beside amplitudes");
            }
            let axes = reader.all("amplitudes", value, |reader, place, value| {
                reader.all(place, value, Reader::number)
            });
            return Some(StartFile::Product(axes?));
        }
        let Some(value) = file.get("incumbent") else {
            return reader.fault("incumbent", "is missing; the file needs it or amplitudes");
        };
        let incumbent = reader.all("incumbent", value, |reader, place, value| {
            reader.count(place, value, 0)
        });
        let epsilon = file
            .get("epsilon")
            .map(|value| reader.number("epsilon", value));
        let epsilon = match epsilon {
            Some(epsilon) => Some(epsilon?),
            None => None,
        };
        Some(StartFile::Warm {
            incumbent: incumbent?,
            epsilon,
        })
    })
}

/// Reads a file of one kind, with all its mistakes.
fn read<T>(
    bytes: &[u8],
    what: impl FnOnce(&mut Reader, &Value) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| vec![not_json(&error)])?;
    let mut reader = Reader::default();
    match what(&mut reader, &value) {
        Some(read) if reader.faults.is_empty() => Ok(read),
        _ => Err(reader.faults),
    }
}

fn not_json(error: &serde_json::Error) -> Fault {
    Fault {
        place: format!("line {}, column {}", error.line(), error.column()),
        reason: format!("no JSON: {error}"),
    }
}

/// Reads what it can and notes what it cannot. Every method returns `None` only after noting why.
#[derive(Debug, Default)]
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault<T>(&mut self, place: &str, reason: impl Into<String>) -> Option<T> {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault {
                place: place.to_owned(),
                reason: reason.into(),
            });
        }
        None
    }

    fn model(&mut self, value: &Value) -> Option<Model> {
        let Value::Object(file) = value else {
            return self.fault("the file", format!("is {}, not an object", kind(value)));
        };
        let vartype = self
            .required(file, "", "vartype")
            .and_then(|value| self.vartype(value));
        let offset = file
            .get("offset")
            .map_or(Some(0.0), |value| self.number("offset", value));
        let discrete = vartype == Some("DISCRETE");
        let body = if discrete { "tables" } else { "terms" };
        if vartype.is_some() {
            self.only(file, "", &["vartype", "variables", "offset", body]);
        }
        let variables = self.required(file, "", "variables");
        if discrete {
            let levels = variables.and_then(|value| self.levels(value));
            let tables = self.list(file, "tables", |reader, place, value| {
                reader.table(place, value, levels.as_deref())
            });
            return Some(Model::Discrete {
                levels: levels?,
                tables: tables?,
                offset: offset?,
            });
        }
        let variables = variables.and_then(|value| self.count("variables", value, 1));
        let terms = self.list(file, "terms", |reader, place, value| {
            reader.term(place, value, variables)
        });
        let polynomial = Polynomial {
            variables: variables?,
            terms: terms?,
            offset: offset?,
        };
        Some(if vartype? == "SPIN" {
            Model::Spin(polynomial)
        } else {
            Model::Binary(polynomial)
        })
    }

    fn vartype<'a>(&mut self, value: &'a Value) -> Option<&'a str> {
        match value.as_str() {
            Some(vartype @ ("SPIN" | "BINARY" | "DISCRETE")) => Some(vartype),
            _ => self.fault(
                "vartype",
                format!("is {value}, not \"SPIN\", \"BINARY\" or \"DISCRETE\""),
            ),
        }
    }

    fn levels(&mut self, value: &Value) -> Option<Vec<usize>> {
        let levels = self.all("variables", value, |reader, place, value| {
            reader.count(place, value, 2)
        })?;
        if levels.is_empty() {
            self.fault("variables", "is empty, a model has at least one variable")
        } else {
            Some(levels)
        }
    }

    fn term(&mut self, place: &str, value: &Value, count: Option<usize>) -> Option<Term> {
        let object = self.object(place, value, &["vars", "coeff"])?;
        let variables = self
            .required(object, place, "vars")
            .and_then(|value| self.vars(place, value, count));
        let coefficient = self
            .required(object, place, "coeff")
            .and_then(|value| self.number(&format!("{place}.coeff"), value));
        Some(Term {
            variables: variables?,
            coefficient: coefficient?,
        })
    }

    fn table(&mut self, place: &str, value: &Value, levels: Option<&[usize]>) -> Option<Table> {
        let object = self.object(place, value, &["vars", "values"])?;
        let variables = self
            .required(object, place, "vars")
            .and_then(|value| self.vars(place, value, levels.map(<[usize]>::len)));
        let values_at = format!("{place}.values");
        let values = self
            .required(object, place, "values")
            .and_then(|value| self.all(&values_at, value, Self::number));
        let (variables, values) = (variables?, values?);
        let length = |levels: &[usize]| {
            variables.iter().try_fold(1_usize, |product, &variable| {
                product.checked_mul(*levels.get(variable)?)
            })
        };
        match levels.map(length) {
            Some(Some(expected)) if expected == values.len() => Some(Table { variables, values }),
            Some(Some(expected)) => self.fault(
                &values_at,
                format!(
                    "has {} values, its variables have {expected} states",
                    values.len()
                ),
            ),
            Some(None) => self.fault(
                &values_at,
                "its variables have more states than can be counted",
            ),
            // The levels are at fault, which has been noted.
            None => None,
        }
    }

    /// Distinct variables below `count`, where that is known.
    fn vars(&mut self, place: &str, value: &Value, count: Option<usize>) -> Option<Vec<usize>> {
        let place = format!("{place}.vars");
        let variables = self.all(&place, value, |reader, place, value| {
            let variable = reader.count(place, value, 0)?;
            match count {
                Some(count) if variable >= count => reader.fault(
                    place,
                    format!("is {variable}, the model has {count} variables"),
                ),
                _ => Some(variable),
            }
        })?;
        let mut sorted = variables.clone();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => self.fault(&place, format!("names variable {} twice", pair[0])),
            None => Some(variables),
        }
    }

    /// A list that may be absent.
    fn list<T>(
        &mut self,
        file: &Map<String, Value>,
        key: &str,
        one: impl FnMut(&mut Self, &str, &Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        file.get(key)
            .map_or_else(|| Some(Vec::new()), |value| self.all(key, value, one))
    }

    /// Every entry of a list, so that all mistakes are found.
    fn all<T>(
        &mut self,
        place: &str,
        value: &Value,
        mut one: impl FnMut(&mut Self, &str, &Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Array(entries) = value else {
            return self.fault(place, format!("is {}, not a list", kind(value)));
        };
        let read: Vec<Option<T>> = entries
            .iter()
            .enumerate()
            .map(|(at, value)| one(self, &format!("{place}[{at}]"), value))
            .collect();
        read.into_iter().collect()
    }

    fn object<'a>(
        &mut self,
        place: &str,
        value: &'a Value,
        keys: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let Value::Object(object) = value else {
            let place = if place.is_empty() { "the file" } else { place };
            return self.fault(place, format!("is {}, not an object", kind(value)));
        };
        self.only(object, place, keys);
        Some(object)
    }

    fn only(&mut self, object: &Map<String, Value>, place: &str, keys: &[&str]) {
        for key in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            self.fault::<()>(
                &inside(place, key),
                format!("is not a key here; the keys are {}", keys.join(", ")),
            );
        }
    }

    fn required<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        place: &str,
        key: &str,
    ) -> Option<&'a Value> {
        object
            .get(key)
            .or_else(|| self.fault(&inside(place, key), "is missing"))
    }

    fn number(&mut self, place: &str, value: &Value) -> Option<f64> {
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Some(number),
            None => self.fault(place, format!("is {}, not a finite number", kind(value))),
        }
    }

    fn count(&mut self, place: &str, value: &Value, least: usize) -> Option<usize> {
        match value
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .filter(|&count| count >= least)
        {
            Some(count) => Some(count),
            None => self.fault(
                place,
                format!(
                    "is {}, not a whole number of at least {least}",
                    shown(value)
                ),
            ),
        }
    }
}

fn inside(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

/// Numbers as they are, anything longer by its kind.
fn shown(value: &Value) -> String {
    if value.is_number() {
        value.to_string()
    } else {
        kind(value).to_owned()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
