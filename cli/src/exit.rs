//! How the program ends: one table of exit codes, and what is said on standard error.

use std::fmt::Display;
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; where a question was asked, the answer is yes.
    Yes,
    /// The answer is no: no feasible plan, or a plan that does not verify.
    No,
    /// A file, or what it says, is wrong: missing, unreadable, refused.
    Input,
    /// The machine or the network failed: unreachable, full, out of memory.
    Environment,
    /// The command line makes no sense (EX_USAGE of sysexits.h).
    Usage,
    /// A mistake in Ketscale itself (EX_SOFTWARE of sysexits.h).
    Bug,
}

impl Exit {
    /// The table of exit codes, the same as in `ketscale --help`.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Input => 2,
            Self::Environment => 3,
            Self::Usage => 64,
            Self::Bug => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How to end.
    pub(crate) exit: Exit,
    /// What to say, one mistake a line.
    pub(crate) message: String,
}

impl Failure {
    /// A file, or what it says, is wrong.
    pub(crate) fn input(message: impl Display) -> Self {
        Self {
            exit: Exit::Input,
            message: message.to_string(),
        }
    }

    /// The machine or the network failed.
    pub(crate) fn environment(message: impl Display) -> Self {
        Self {
            exit: Exit::Environment,
            message: message.to_string(),
        }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.to_string(),
        }
    }

    /// Ketscale is wrong.
    pub(crate) fn bug(message: impl Display) -> Self {
        Self {
            exit: Exit::Bug,
            message: format!("{message}\n{}", crate::bug::HOW_TO_REPORT),
        }
    }
}
