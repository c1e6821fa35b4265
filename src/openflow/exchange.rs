//! A session of OpenFlow over a socket: bytes to and fro, questions and their answers.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use flowport_openflow::session::{Event, Session, SessionConfig, SessionError};
use flowport_openflow::{
    Body, BundleId, FlowStats, FlowStatsRequest, GroupDesc, MultipartReplyBody, MultipartRequestBody, Xid,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How much is read at once: many messages of a long reply.
const READ_SIZE: usize = 64 * 1024;

/// Why a channel is of no use.
#[derive(Debug, thiserror::Error)]
pub enum OpenFlowError {
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer broke the protocol, or speaks another version.
    #[error("{0}")]
    Session(#[from] SessionError),
    /// The peer refused a question.
    #[error("{0}")]
    Refused(String),
    /// The peer closed the connection.
    #[error("the switch closed the connection")]
    Closed,
    /// The peer did not answer in time.
    #[error("the switch does not answer")]
    Silent,
}

/// A session and its socket.
#[derive(Debug)]
pub(super) struct Exchange {
    stream: UnixStream,
    session: Session,
    input: Vec<u8>,
}

impl Exchange {
    /// Connects and negotiates the version.
    pub(super) async fn open(socket: &Path) -> Result<Self, OpenFlowError> {
        let stream = UnixStream::connect(socket).await?;
        let session = Session::new(SessionConfig::default(), Instant::now());
        Ok(Self { stream, session, input: vec![0; READ_SIZE] })
    }

    /// The next event; sends what there is to send, and probes the peer, meanwhile. May be cancelled.
    pub(super) async fn next(&mut self) -> Result<Event, OpenFlowError> {
        loop {
            self.flush().await?;
            if let Some(event) = self.session.poll_event() {
                return Ok(event);
            }
            let deadline = self.session.deadline();
            tokio::select! {
                read = self.stream.read(&mut self.input) => match read? {
                    0 => return Err(OpenFlowError::Closed),
                    n => self.session.handle_input(Instant::now(), &self.input[..n])?,
                },
                () = at(deadline) => self.session.handle_timeout(Instant::now())?,
            }
        }
    }
}
