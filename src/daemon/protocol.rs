//! What is said on the daemon's socket: a line of JSON asks, lines of JSON answer, the last of them `done` or `refused`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::intent::Intent;
use crate::reconciler::{Outcome, Progress};
use crate::refused::Refused;

/// The longest question: 10,000 ports of `add-ports` with many words each, in bytes.
pub(super) const LONGEST_ASK: usize = 16 << 20;

/// The one question of a connection, unless it is a [`Look`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Ask {
    /// What is wanted.
    pub intent: Intent,
    /// How long it may take.
    pub timeout: Duration,
}

/// A question that wants no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// At what.
    pub look: LookAt,
}

/// What the daemon tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookAt {
    /// Whether it may change anything.
    Ruling,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// How far it is; more follows.
    Progress(Progress),
    /// It has converged.
    Done(Outcome),
    /// It was refused, or failed and was undone.
    Refused(Refused),
    /// Whether the lock of the database is the daemon's: without it, it changes nothing.
    Ruling(bool),
}
