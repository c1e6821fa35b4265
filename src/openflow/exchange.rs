//! A session of OpenFlow over a socket: bytes to and fro, questions and their answers.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use flowport_openflow::message::port::PortStatsRequest;
use flowport_openflow::session::{Event, Session, SessionConfig, SessionError};
use flowport_openflow::{
    Body, EncodeError, FlowStats, FlowStatsRequest, MultipartReply, MultipartReplyBody, MultipartRequestBody,
    PortNo, PortStats,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::deadline::at;
use crate::place;

/// How much is read at once: many messages of a long reply.
const READ_SIZE: usize = 64 * 1024;

/// How long the switch may be silent. On a socket of this host silence means work: adding or removing a thousand ports
/// keeps ovs-vswitchd from everything else for many seconds. When it dies the socket tells.
const SILENCE: Duration = Duration::from_secs(60);

fn config() -> SessionConfig {
    SessionConfig { handshake_timeout: SILENCE, probe_interval: SILENCE, ..SessionConfig::default() }
}

/// Why a channel is of no use.
#[derive(Debug, thiserror::Error)]
pub enum OpenFlowError {
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer broke the protocol, or speaks another version.
    #[error("{0}")]
    Session(#[from] SessionError),
    /// A question is longer than a message can be.
    #[error("{0}")]
    Encode(#[from] EncodeError),
    /// The peer refused a question.
    #[error("the switch refused: {0}")]
    Refused(String),
    /// The peer closed the connection.
    #[error("the switch closed the connection")]
    Closed,
    /// Whether the peer applied a bundle is not known.
    #[error("the switch has not answered a bundle in time")]
    Late,
}

impl OpenFlowError {
    /// Whether nobody listens on the socket.
    pub(super) fn is_nobody(&self) -> bool {
        let nobody = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
        matches!(self, Self::Io(error) if nobody.contains(&error.kind()))
    }
}

/// A session and its socket.
#[derive(Debug)]
pub struct Exchange {
    stream: UnixStream,
    /// What is given to it goes out while [`next`](Self::next) or [`ask`](Self::ask) wait.
    pub session: Session,
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of `output` has been written.
    written: usize,
}

impl Exchange {
    /// Connects to a management socket and negotiates the version.
    ///
    /// # Errors
    ///
    /// Nobody listens there, or does not speak OpenFlow 1.3.
    pub async fn open(socket: &Path) -> Result<Self, OpenFlowError> {
        let stream = UnixStream::connect(socket).await?;
        let session = Session::new(config(), Instant::now());
        let mut exchange =
            Self { stream, session, input: vec![0; READ_SIZE], output: Vec::new(), written: 0 };
        while !matches!(exchange.next().await?, Event::Ready { .. }) {}
        Ok(exchange)
    }

    /// The next event; sends what there is to send, and probes the peer, meanwhile. May be cancelled.
    ///
    /// # Errors
    ///
    /// The channel is of no use any more.
    pub async fn next(&mut self) -> Result<Event, OpenFlowError> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Ok(event);
            }
            if self.written == self.output.len() {
                self.session.recycle(std::mem::take(&mut self.output));
                self.output = self.session.poll_transmit().unwrap_or_default();
                self.written = 0;
            }
            let deadline = self.session.deadline();
            let (mut reader, mut writer) = self.stream.split();
            let unwritten = &self.output[self.written..];
            tokio::select! {
                read = reader.read(&mut self.input) => match read? {
                    0 => return Err(OpenFlowError::Closed),
                    n => self.session.handle_input(Instant::now(), &self.input[..n])?,
                },
                written = writer.write(unwritten), if !unwritten.is_empty() => self.written += written?,
                () = at(deadline) => self.session.handle_timeout(Instant::now())?,
            }
        }
    }

    /// Asks all questions at once and returns their answers in the same order; other events meanwhile are lost.
    ///
    /// # Errors
    ///
    /// A question was refused, or the channel is of no use any more.
    pub async fn ask(
        &mut self,
        questions: impl IntoIterator<Item = MultipartRequestBody>,
    ) -> Result<Vec<MultipartReplyBody>, OpenFlowError> {
        let mut asked = Vec::new();
        for question in questions {
            asked.push((self.session.request(Body::from(question), Instant::now())?, None));
        }
        while asked.iter().any(|(_, answer)| answer.is_none()) {
            match self.next().await? {
                Event::Reply { xid, body: Body::MultipartReply(MultipartReply { body, .. }) } => {
                    if let Some((_, answer)) = asked.iter_mut().find(|(of, _)| *of == xid) {
                        *answer = Some(body);
                    }
                }
                Event::Failed { error, .. } => return Err(OpenFlowError::Refused(error.to_string())),
                _ => {}
            }
        }
        Ok(asked.into_iter().filter_map(|(_, answer)| answer).collect())
    }

    /// Reads the flow entries that one of the requests asks for.
    pub(super) async fn flows(
        &mut self,
        requests: &[FlowStatsRequest],
    ) -> Result<Vec<FlowStats>, OpenFlowError> {
        let questions = requests.iter().cloned().map(MultipartRequestBody::Flow);
        let answers = self.ask(questions).await?;
        let flows = answers.into_iter().filter_map(|answer| match answer {
            MultipartReplyBody::Flow(flows) => Some(flows),
            _ => None,
        });
        Ok(flows.flatten().collect())
    }
}

/// Reads flow entries of a bridge, on a connection for this once.
///
/// # Errors
///
/// ovs-vswitchd does not answer, or refuses.
pub async fn read_flows(
    rundir: &Path,
    bridge: &str,
    requests: &[FlowStatsRequest],
) -> Result<Vec<FlowStats>, OpenFlowError> {
    Exchange::open(&place::management_socket(rundir, bridge)).await?.flows(requests).await
}

/// Reads the counters of all ports of a bridge, on a connection for this once.
///
/// # Errors
///
/// ovs-vswitchd does not answer, or refuses.
pub async fn read_counters(rundir: &Path, bridge: &str) -> Result<Vec<PortStats>, OpenFlowError> {
    let mut exchange = Exchange::open(&place::management_socket(rundir, bridge)).await?;
    let all = MultipartRequestBody::PortStats(PortStatsRequest { port_no: PortNo::ANY });
    let counters = exchange.ask([all]).await?.into_iter().filter_map(|answer| match answer {
        MultipartReplyBody::PortStats(counters) => Some(counters),
        _ => None,
    });
    Ok(counters.flatten().collect())
}
