//! Who runs the world.

use std::fmt;
use std::str::FromStr;

/// A way to decide replicas and nodes, of which a replay has any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// HorizontalPodAutoscalers with this target of CPU use over request in whole percent, and a stock node autoscaler.
    Hpa {
        /// Target in percent, from 1 to 100.
        target_percent: u32,
    },
    /// Ketscale's control loop.
    Ketscale,
}

impl Policy {
    /// The targets that Ketscale is compared with, and Ketscale.
    pub const ALL: [Self; 5] = [
        Self::hpa(50),
        Self::hpa(60),
        Self::hpa(70),
        Self::hpa(80),
        Self::Ketscale,
    ];

    const fn hpa(target_percent: u32) -> Self {
        Self::Hpa { target_percent }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hpa { target_percent } => write!(f, "hpa-{target_percent}"),
            Self::Ketscale => f.write_str("ketscale"),
        }
    }
}

/// A name that is no policy's.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no policy; expected ketscale, or hpa- with a target from 1 to 100 percent, such as hpa-70"
)]
pub struct UnknownPolicy(String);

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        if text == "ketscale" {
            return Ok(Self::Ketscale);
        }
        let target = text
            .strip_prefix("hpa-")
            .and_then(|target| target.parse().ok());
        match target {
            Some(target_percent @ 1..=100) => Ok(Self::Hpa { target_percent }),
            _ => Err(UnknownPolicy(text.to_owned())),
        }
    }
}
