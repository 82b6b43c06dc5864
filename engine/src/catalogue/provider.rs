//! Providers by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::problem::Provider;

/// A name that is no provider's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown provider {0:?}: expected aws, gcp, azure or other")]
pub struct UnknownProvider(pub String);

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Other => "other",
        })
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "aws" => Ok(Self::Aws),
            "gcp" => Ok(Self::Gcp),
            "azure" => Ok(Self::Azure),
            "other" => Ok(Self::Other),
            _ => Err(UnknownProvider(name.to_owned())),
        }
    }
}
