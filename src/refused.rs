//! Why an intent was refused, or failed and was undone.

use serde::{Deserialize, Serialize};

use crate::docker::DockerError;
use crate::model::BadWord;
use crate::netlink::NetlinkError;

/// Why an intent did not come true: one line that names the thing and says what would do. Nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{line}")]
pub struct Refused {
    /// The line.
    pub line: String,
    /// What a program may want to tell apart.
    #[serde(default)]
    pub reason: Reason,
}

/// The reasons that a caller acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// There is no such bridge.
    NoSuchBridge,
    /// Nothing of that name is attached.
    NoSuchPort,
    /// All others.
    #[default]
    Other,
}

impl Refused {
    /// A refusal that no program acts on.
    pub fn other(line: impl Into<String>) -> Self {
        Self { line: line.into(), reason: Reason::Other }
    }

    /// A refusal in the words of an error and of what caused it.
    pub fn because(error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        Self::other(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }

    /// The user has changed their mind.
    pub fn interrupted() -> Self {
        Self::other("interrupted, and undone: run the command again to have it done")
    }

    /// Nothing is attached by that name.
    pub fn no_such_port(line: impl Into<String>) -> Self {
        Self { line: line.into(), reason: Reason::NoSuchPort }
    }

    /// The bridge is not there.
    pub fn no_such_bridge(bridge: impl std::fmt::Display) -> Self {
        Self {
            line: format!("bridge {bridge} does not exist: make it with `flowport add-br {bridge}`"),
            reason: Reason::NoSuchBridge,
        }
    }
}

impl From<NetlinkError> for Refused {
    fn from(error: NetlinkError) -> Self {
        Self::because(&error)
    }
}

impl From<DockerError> for Refused {
    fn from(error: DockerError) -> Self {
        Self::because(&error)
    }
}

impl From<BadWord> for Refused {
    fn from(error: BadWord) -> Self {
        Self::other(error.to_string())
    }
}
