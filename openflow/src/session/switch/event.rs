//! What the datapath's side of a session tells its caller.

use std::time::Duration;

use crate::message::Message;
use crate::message::config::Role;
use crate::message::experimenter::BundleId;
use crate::session::event::version_name;
use crate::types::Xid;
use crate::wire::DecodeError;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum SwitchEvent {
    /// The greeting is over.
    Ready,
    /// A message for the caller: requests are to be answered with their xid, in the order in which they come, barriers
    /// when all before them is done. A request in parts is whole.
    Request(Message),
    /// The controller plays another part now.
    RoleChanged(Role),
    /// These messages are to be applied, all or none; then [`committed`](super::SwitchSession::committed) or
    /// [`commit_failed`](super::SwitchSession::commit_failed) is to be called.
    Commit {
        /// Of the request.
        xid: Xid,
        /// The bundle.
        id: BundleId,
        /// What is in it, in order.
        messages: Vec<Message>,
    },
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SwitchError {
    /// The controller sent what is not OpenFlow.
    #[error("the controller sent a message that cannot be read")]
    Decode(#[from] DecodeError),
    /// The controller does not speak OpenFlow 1.3.
    #[error("the controller speaks {} at most and not 1.3", version_name(*.highest))]
    Version {
        /// The highest version in its hello.
        highest: u8,
    },
    /// The controller refused our hello.
    #[error("the controller refused OpenFlow 1.3: {text}")]
    HelloRefused {
        /// Its reason.
        text: String,
    },
    /// The controller began with something else than a hello.
    #[error("the controller began with {got} and not with a hello")]
    NoHello {
        /// The message's name.
        got: &'static str,
    },
    /// Its hello did not come.
    #[error("the controller did not greet within {0:?}")]
    HandshakeTimeout(Duration),
    /// Nothing came, and no answer to an echo request either.
    #[error("the controller has been silent for {0:?}")]
    Silent(Duration),
    /// It had ended before.
    #[error("the session has ended")]
    Ended,
}
