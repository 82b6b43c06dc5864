//! Canonical JSON (RFC 8785) and the digest over it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Plan;

/// Why bytes are not a plan in canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Not JSON, or JSON of another shape.
    #[error("not a plan file: {0}")]
    Shape(#[from] serde_json::Error),
    /// The same content in another spelling.
    #[error(
        "not in canonical form (RFC 8785): byte {position} differs from the canonical spelling"
    )]
    Spelling {
        /// First byte that differs.
        position: usize,
    },
    /// The digest is not that of the content.
    #[error("digest: the file says {stated}, its content has {computed}")]
    Digest {
        /// As the file says.
        stated: String,
        /// As computed.
        computed: String,
    },
    /// A number that JSON cannot hold.
    #[error("cannot be written: {0}")]
    Number(String),
}

/// The plan's bytes, with its digest set: canonical JSON without a final newline.
///
/// # Errors
///
/// A number that is not finite.
pub fn to_bytes(plan: &Plan) -> Result<Vec<u8>, CanonicalError> {
    let mut value = serde_json::to_value(plan)?;
    let digest = digest(&value)?;
    if let Value::Object(map) = &mut value {
        map.insert("digest".to_owned(), Value::String(digest));
    }
    canonical(&value)
}

/// `sha256:` and the hex SHA-256 of a plan without its `digest` key.
///
/// # Errors
///
/// A number that is not finite.
pub fn digest(plan: &Value) -> Result<String, CanonicalError> {
    let mut content = plan.clone();
    if let Value::Object(map) = &mut content {
        map.remove("digest");
    }
    let hash = Sha256::digest(canonical(&content)?);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}

/// Reads a plan and refuses every spelling but the canonical one, and every digest but the right one.
///
/// # Errors
///
/// [`CanonicalError`] says which of these it was.
pub fn from_bytes(bytes: &[u8]) -> Result<Plan, CanonicalError> {
    let value: Value = serde_json::from_slice(bytes)?;
    let spelled = canonical(&value)?;
    if spelled != bytes {
        let position = spelled
            .iter()
            .zip(bytes)
            .position(|(a, b)| a != b)
            .unwrap_or(spelled.len().min(bytes.len()));
        return Err(CanonicalError::Spelling { position });
    }
    let computed = digest(&value)?;
    let plan: Plan = serde_json::from_value(value.clone())?;
    if plan.digest != computed {
        return Err(CanonicalError::Digest {
            stated: plan.digest,
            computed,
        });
    }
    // A key left out that has a default would be another spelling of the same plan.
    if canonical(&serde_json::to_value(&plan)?)? != bytes {
        return Err(CanonicalError::Spelling { position: 0 });
    }
    Ok(plan)
}

fn canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    serde_json_canonicalizer::to_vec(value)
        .map_err(|error| CanonicalError::Number(error.to_string()))
}
