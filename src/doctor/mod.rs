//! What is wrong on this host, and what to do about it.
//!
//! [`gather()`] looks and changes nothing; [`findings()`] is a pure function of what it saw: a list of small checks, each of
//! one thing, that know nothing of each other.

mod checks;
mod facts;
mod gather;

use serde::Serialize;

pub use checks::findings;
pub use facts::{
    Container, DaemonSeen, EngineSeen, Facts, Forwarding, Inside, OvsSeen, Process, VswitchdSeen,
};
pub use gather::{Places, daemon, gather};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The check that found it.
    pub check: &'static str,
    /// What was found, with the name of the thing.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Packets are lost, or will be.
    Problem,
    /// It works, and could be better or may surprise.
    Hint,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Problem => "problem",
            Severity::Hint => "hint",
        };
        write!(f, "{severity}: {}: {}", self.what, self.remedy)
    }
}
