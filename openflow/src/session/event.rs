//! What a session tells its caller.

use std::time::Duration;

use crate::message::config::Features;
use crate::message::error::ErrorMessage;
use crate::message::experimenter::BundleId;
use crate::message::{Body, Message};
use crate::types::Xid;
use crate::wire::{DecodeError, EncodeError};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The handshake is over; this is what the datapath says of itself.
    Ready(Features),
    /// The reply to a request; a multipart reply is whole.
    Reply {
        /// Of the request.
        xid: Xid,
        /// The reply.
        body: Body,
    },
    /// A request or another message came to nothing.
    Failed {
        /// Of the message.
        xid: Xid,
        /// Why.
        error: RequestError,
    },
    /// A message that nobody asked for: packet-in, flow-removed, port-status, an experimenter's; or a reply to a request
    /// that has failed already.
    Async(Message),
    /// All messages of the bundle are applied.
    BundleCommitted {
        /// Which bundle.
        id: BundleId,
    },
    /// No message of the bundle is applied.
    BundleFailed {
        /// Which bundle.
        id: BundleId,
        /// Which of its messages was refused, from 0; none if it was the bundle as a whole.
        index: Option<usize>,
        /// Why.
        error: BundleError,
    },
}

/// Why a message came to nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The datapath refused it.
    #[error(transparent)]
    Refused(ErrorMessage),
    /// No reply in time.
    #[error("no reply in time")]
    TimedOut,
    /// The reply's parts are too much in all.
    #[error("the reply has more than {0} bytes")]
    TooLong(usize),
    /// The reply's parts do not belong together.
    #[error("the parts of the reply are of different types")]
    Mixed,
}

/// Why no message of a bundle is applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BundleError {
    /// The datapath refused a message, or the bundle.
    #[error(transparent)]
    Refused(ErrorMessage),
    /// A message is too long to be sent.
    #[error(transparent)]
    TooLong(EncodeError),
    /// No reply in time. If only the last reply was lost, the messages may be applied after all: dump and compare.
    #[error("no reply to the bundle in time")]
    TimedOut,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// The datapath sent what is not OpenFlow.
    #[error("the datapath sent a message that cannot be read")]
    Decode(#[from] DecodeError),
    /// The datapath does not speak OpenFlow 1.3.
    #[error(
        "the datapath speaks {} at most and not 1.3: enable it with ovs-vsctl set bridge BRIDGE protocols=OpenFlow13",
        version_name(*.highest)
    )]
    Version {
        /// The highest version in its hello.
        highest: u8,
    },
    /// The datapath refused our hello.
    #[error("the datapath refused OpenFlow 1.3: {text}")]
    HelloRefused {
        /// Its reason.
        text: String,
    },
    /// The datapath began with something else than a hello.
    #[error("the datapath began with {got} and not with a hello")]
    NoHello {
        /// The message's name.
        got: &'static str,
    },
    /// The datapath would not say what it is.
    #[error("the datapath refused the handshake")]
    Refused(#[source] ErrorMessage),
    /// Hello or features did not come.
    #[error("the datapath did not finish the handshake within {0:?}")]
    HandshakeTimeout(Duration),
    /// Nothing came, and no answer to an echo request either.
    #[error("the datapath has been silent for {0:?}")]
    Silent(Duration),
    /// It had ended before.
    #[error("the session has ended")]
    Ended,
}

pub(super) fn version_name(version: u8) -> String {
    match version {
        1..=6 => format!("OpenFlow 1.{}", version - 1),
        _ => format!("OpenFlow version {version:#04x}"),
    }
}
