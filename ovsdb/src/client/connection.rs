use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::error::{ConnectError, ConnectionLost};
use super::{ConnectOptions, Peer};
use crate::remote::Remote;
use crate::replica::Replica;
use crate::session::{Event, Session, SessionConfig, SessionError};

/// Bytes asked of the socket at once. A dump comes in many; what a server sends in one write fits.
const READ_BUFFER: usize = 64 * 1024;

/// Until the next attempt when as many wait to be accepted as the server lets wait: no event tells of a place.
const BACKLOG_FULL: Duration = Duration::from_millis(10);

pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// A socket with its session.
pub(super) struct Connection {
    stream: Pin<Box<dyn Stream>>,
    session: Session,
    /// What the socket has not taken yet.
    outgoing: Bytes,
    buffer: Box<[u8]>,
}

/// A connection with the replica that it began with.
pub(super) struct Established {
    pub(super) connection: Connection,
    pub(super) replica: Replica,
    pub(super) peer: Peer,
}

impl Connection {
    /// Connects, and waits for the replica. `previous` is the copy to resume from.
    pub(super) async fn establish(
        remote: &Remote,
        options: &ConnectOptions,
        config: SessionConfig,
        previous: &Replica,
    ) -> Result<Established, ConnectError> {
        Self::over(connect(remote, options).await?, remote, options, config, previous).await
    }

    /// The same on a stream that is connected already.
    pub(super) async fn over(
        stream: Pin<Box<dyn Stream>>,
        remote: &Remote,
        options: &ConnectOptions,
        config: SessionConfig,
        previous: &Replica,
    ) -> Result<Established, ConnectError> {
        let failed = |source| ConnectError::Session { remote: remote.clone(), source };
        let session = Session::new(config, Instant::now()).map_err(failed)?;
        let buffer = vec![0; READ_BUFFER].into();
        let mut connection = Self { stream, session, outgoing: Bytes::new(), buffer };
        let mut peer = Peer { remote: remote.clone(), resumed: false, database: None };
        loop {
            match connection.session.poll_event() {
                Some(Event::Member(database)) => peer.database = Some(database),
                Some(Event::Monitored { monitor, updates, resumed, transaction }) => {
                    let inconsistent = |source| ConnectError::Inconsistent { remote: remote.clone(), source };
                    peer.resumed = resumed;
                    let mut replica =
                        previous.begin_again(monitor, updates, resumed).map_err(inconsistent)?;
                    replica.set_transaction(transaction);
                    return Ok(Established { connection, replica, peer });
                }
                Some(_) => {}
                None => connection.turn().await.map_err(|lost| match lost {
                    ConnectionLost::Session(SessionError::NoSuchDatabase(database)) => {
                        ConnectError::NoSuchDatabase { remote: remote.clone(), database }
                    }
                    ConnectionLost::Session(SessionError::Member(source)) => {
                        ConnectError::Member { remote: remote.clone(), source }
                    }
                    ConnectionLost::Session(source) => failed(source),
                    ConnectionLost::Io(source) => failure(source, remote, options),
                    ConnectionLost::Closed | ConnectionLost::GivenUp | ConnectionLost::Replica(_) => {
                        ConnectError::Closed { remote: remote.clone() }
                    }
                })?,
            }
        }
    }

    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Bytes that wait for the socket.
    pub(super) fn backlog(&self) -> usize {
        self.outgoing.len() + self.session.unsent()
    }

    /// Waits until something was read or written or came due, and lets the session handle it. May be dropped
    /// and called again.
    pub(super) async fn turn(&mut self) -> Result<(), ConnectionLost> {
        if self.outgoing.is_empty() {
            self.outgoing = self.session.poll_transmit().map(Bytes::from).unwrap_or_default();
        }
        let deadline = self.session.poll_timeout();
        let Self { stream, outgoing, buffer, .. } = self;
        let io = poll_fn(|context| poll_io(stream.as_mut(), outgoing, buffer, context));
        let read = match deadline {
            None => io.await?,
            Some(deadline) => match tokio::time::timeout_at(deadline.into(), io).await {
                Ok(progress) => progress?,
                Err(_) => {
                    self.session.handle_timeout(Instant::now())?;
                    return Ok(());
                }
            },
        };
        if let Some(read) = read {
            self.session.handle_bytes(&self.buffer[..read], Instant::now())?;
        }
        Ok(())
    }
}

/// Writes what the socket takes, then reads once. `Some(n)`: that much was read; `None`: only written.
fn poll_io(
    mut stream: Pin<&mut dyn Stream>,
    outgoing: &mut Bytes,
    buffer: &mut [u8],
    context: &mut Context<'_>,
) -> Poll<Result<Option<usize>, ConnectionLost>> {
    let mut wrote = false;
    while outgoing.has_remaining() {
        match stream.as_mut().poll_write(context, outgoing) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(ConnectionLost::Closed)),
            Poll::Ready(Ok(count)) => {
                outgoing.advance(count);
                wrote = true;
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
            Poll::Pending => break,
        }
    }
    // TLS takes more than the socket does.
    if let Poll::Ready(Err(error)) = stream.as_mut().poll_flush(context) {
        return Poll::Ready(Err(error.into()));
    }
    let mut read = ReadBuf::new(buffer);
    match stream.as_mut().poll_read(context, &mut read) {
        // The peer left without TLS's goodbye. Messages tell where they end.
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Poll::Ready(Err(ConnectionLost::Closed))
        }
        Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
        Poll::Ready(Ok(())) => match read.filled().len() {
            0 => Poll::Ready(Err(ConnectionLost::Closed)),
            count => Poll::Ready(Ok(Some(count))),
        },
        // All written: the session may have more.
        Poll::Pending if wrote && outgoing.is_empty() => Poll::Ready(Ok(None)),
        Poll::Pending => Poll::Pending,
    }
}

async fn connect(remote: &Remote, options: &ConnectOptions) -> Result<Pin<Box<dyn Stream>>, ConnectError> {
    match tokio::time::timeout(options.connect_timeout, open(remote, options)).await {
        Err(_) => Err(ConnectError::TimedOut { remote: remote.clone(), after: options.connect_timeout }),
        Ok(opened) => opened,
    }
}

async fn open(remote: &Remote, options: &ConnectOptions) -> Result<Pin<Box<dyn Stream>>, ConnectError> {
    let failed = |source| failure(source, remote, options);
    match remote {
        Remote::Unix(path) => Ok(Box::pin(open_unix(path).await.map_err(failed)?)),
        Remote::Tcp { host, port } => Ok(Box::pin(open_tcp(host, *port).await.map_err(failed)?)),
        #[cfg(not(feature = "tls"))]
        Remote::Ssl { .. } => Err(ConnectError::NoTlsOptions { remote: remote.clone() }),
        #[cfg(feature = "tls")]
        Remote::Ssl { host, port } => {
            let no_options = || ConnectError::NoTlsOptions { remote: remote.clone() };
            let tls = options.tls.as_ref().ok_or_else(no_options)?;
            let stream = open_tcp(host, *port).await.map_err(failed)?;
            Ok(Box::pin(tls.handshake(host, stream).await.map_err(failed)?))
        }
    }
}

async fn open_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(BACKLOG_FULL).await;
            }
            connected => return connected,
        }
    }
}

async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What an error of the socket means before the replica is there.
fn failure(source: io::Error, remote: &Remote, options: &ConnectOptions) -> ConnectError {
    let remote = remote.clone();
    #[cfg(feature = "tls")]
    let source = match &options.tls {
        None => source,
        Some(tls) => match super::tls::explained(source, tls) {
            Ok(source) => return ConnectError::Tls { remote, source },
            Err(source) => source,
        },
    };
    #[cfg(not(feature = "tls"))]
    let _ = options;
    match source.kind() {
        io::ErrorKind::NotFound => ConnectError::NoSuchSocket { remote },
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { remote },
        io::ErrorKind::PermissionDenied => ConnectError::PermissionDenied { remote },
        _ => ConnectError::Io { remote, source },
    }
}
