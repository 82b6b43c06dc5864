//! Kubernetes resource quantities: `250m`, `1.5`, `256Mi`, `2e3`.
//!
//! Grammar: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>. Values are held exactly
//! in nano-units (i128), so no spelling loses precision; conversions round up, as the API server does.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// A quantity as written. A JSON or YAML number is accepted and kept as its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

const NANO: i128 = 1_000_000_000;

impl Quantity {
    /// A quantity of whole thousandths, such as millicores.
    pub fn from_milli(milli: u64) -> Self {
        Self(if milli.is_multiple_of(1000) {
            (milli / 1000).to_string()
        } else {
            format!("{milli}m")
        })
    }

    /// A quantity of whole units, such as bytes; binary suffixes where they are exact.
    pub fn from_units(units: u64) -> Self {
        for (suffix, shift) in [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)] {
            if units > 0 && units.trailing_zeros() >= shift {
                return Self(format!("{}{suffix}", units >> shift));
            }
        }
        Self(units.to_string())
    }

    /// The value in 10⁻⁹ units, exact; smaller parts are rounded up. `None` when it is not a quantity or out of range.
    pub fn nano(&self) -> Option<i128> {
        let text = self.0.trim();
        let end = text
            .find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-'))
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (binary_shift, decimal_exponent) = scale(suffix)?;
        let (negative, digits) = match number.as_bytes().first()? {
            b'-' => (true, &number[1..]),
            b'+' => (false, &number[1..]),
            _ => (false, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 30 {
            return None;
        }
        let mut mantissa: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            mantissa = mantissa
                .checked_mul(10)?
                .checked_add(i128::from(byte - b'0'))?;
        }
        mantissa = mantissa.checked_mul(1_i128 << binary_shift)?;
        let exponent = decimal_exponent + 9 - i32::try_from(fraction.len()).ok()?;
        let nano = if exponent >= 0 {
            mantissa.checked_mul(10_i128.checked_pow(exponent.unsigned_abs())?)?
        } else {
            let divisor = 10_i128.checked_pow(exponent.unsigned_abs())?;
            mantissa / divisor + i128::from(mantissa % divisor != 0)
        };
        Some(if negative { -nano } else { nano })
    }

    /// Thousandths, rounded up. `None` when not a quantity, negative, or beyond 2⁵³ (where JSON numbers lose precision).
    pub fn milli(&self) -> Option<u64> {
        round_up(self.nano()?, NANO / 1000)
    }

    /// Whole units, rounded up. `None` as for [`Quantity::milli`].
    pub fn units(&self) -> Option<u64> {
        round_up(self.nano()?, NANO)
    }

    /// Thousandths as a real number, for rates below one millicore. `None` as for [`Quantity::milli`].
    pub fn milli_f64(&self) -> Option<f64> {
        self.milli()?;
        #[allow(clippy::cast_precision_loss)]
        Some(self.nano()? as f64 / 1e6)
    }
}

fn round_up(nano: i128, unit: i128) -> Option<u64> {
    if nano < 0 {
        return None;
    }
    let value = u64::try_from(nano / unit + i128::from(nano % unit != 0)).ok()?;
    (value <= 1 << 53).then_some(value)
}

/// Power of two and power of ten that a suffix stands for.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (-30..=30).contains(&exponent).then_some((0, exponent))?
        }
    })
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a Kubernetes quantity such as 250m or 256Mi")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
                Ok(Quantity(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
                Ok(Quantity(value.to_string()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
                Ok(Quantity(value.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Kubernetes quantity: a number with an optional suffix (n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, or an exponent such as e3).",
            "type": ["string", "number"]
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn milli(text: &str) -> Option<u64> {
        Quantity(text.to_owned()).milli()
    }

    fn units(text: &str) -> Option<u64> {
        Quantity(text.to_owned()).units()
    }

    #[test]
    fn spellings_of_the_same_value_agree() {
        assert_eq!(milli("0.25"), Some(250));
        assert_eq!(milli("250m"), Some(250));
        assert_eq!(milli("250000u"), Some(250));
        assert_eq!(units("1Ki"), Some(1024));
        assert_eq!(units("1.5Gi"), Some(3 << 29));
        assert_eq!(units("2e3"), Some(2000));
        assert_eq!(units("2E3"), Some(2000));
        assert_eq!(units("128974848"), Some(128_974_848));
    }

    #[test]
    fn fractions_round_up() {
        assert_eq!(milli("0.1m"), Some(1));
        assert_eq!(units("100m"), Some(1));
        assert_eq!(Quantity("0.5m".into()).milli_f64(), Some(0.5));
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for text in [
            "", "m", "1.2.3", "1 Gi", "1gi", "NaN", "inf", "--1", "1e", "1e99", "9Ei9", "0x10",
            "1-2", ".",
        ] {
            assert_eq!(units(text), None, "{text}");
        }
        assert_eq!(units("-1"), None);
        assert_eq!(units("99999999999Ei"), None);
    }

    #[test]
    fn constructors_round_trip() {
        for value in [0, 1, 999, 1000, 1024, 1 << 20, 3 << 30, (1 << 40) + 1] {
            assert_eq!(Quantity::from_units(value).units(), Some(value));
            assert_eq!(Quantity::from_milli(value).milli(), Some(value));
        }
    }
}
