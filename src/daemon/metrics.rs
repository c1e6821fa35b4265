//! Metrics for Prometheus, in the text format of OpenMetrics 1.0, at `/metrics` of a port or socket.

mod page;
mod process;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use flowport_ovsdb::client::ConnectionState;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use crate::metrics::{Meters, Peer};
use crate::model::BadWord;
use crate::reconciler::Handle;
use crate::refused::Refused;

use page::Page;

/// How long a conversation may last: it is one question, and who dawdles is in the way of others.
const CONVERSATION: Duration = Duration::from_secs(10);
/// How long the reconciler may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Conversations at the same time: a few servers, and a few people.
const CONVERSATIONS: usize = 16;

/// Where metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port of one of this host's addresses.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = BadWord;

    fn from_str(word: &str) -> Result<Self, BadWord> {
        match word.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err(BadWord(format!("{word:?} is no absolute path: write unix:/PATH"))),
            None => word.parse().map(Self::Tcp).map_err(|_| {
                BadWord(format!("{word:?} is no address: write IP:PORT as 127.0.0.1:9477, or unix:/PATH"))
            }),
        }
    }
}

/// Listens for those who want to know. Without an address nobody does.
#[derive(Debug)]
pub(super) enum Listener {
    Nowhere,
    Tcp(TcpListener),
    /// With the file, which goes when this is dropped.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    pub(super) async fn bind(address: Option<&Address>) -> Result<Self, Refused> {
        let bound = match address {
            None => return Ok(Self::Nowhere),
            Some(Address::Tcp(address)) => {
                TcpListener::bind(address).await.map(Self::Tcp).map_err(|error| (address.to_string(), error))
            }
            Some(Address::Unix(path)) => bind(path).map_err(|error| (path.display().to_string(), error)),
        };
        bound.map_err(|(place, error)| {
            Refused::other(format!("cannot serve metrics on {place}: {error}: choose another with --metrics"))
        })
    }

    async fn accept(&self) -> io::Result<TokioIo<Box<dyn Stream>>> {
        let stream: Box<dyn Stream> = match self {
            Self::Nowhere => std::future::pending().await,
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener, _) => Box::new(listener.accept().await?.0),
        };
        Ok(TokioIo::new(stream))
    }
}

fn bind(path: &PathBuf) -> io::Result<Listener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    super::server::leave(path);
    let listener = UnixListener::bind(path)?;
    // Its group may read what there is to read.
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(Listener::Unix(listener, path.clone()))
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            super::server::leave(path);
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Answers as long as the daemon runs.
pub(super) async fn serve(listener: Listener, meters: Meters, reconciler: Handle) {
    let page = Page::new(&meters);
    let mut conversations = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if conversations.len() < CONVERSATIONS => match accepted {
                Ok(stream) => {
                    let (page, reconciler) = (&page, &reconciler);
                    let answers = service_fn(async |question| Ok::<_, Infallible>(answer(page, reconciler, &question).await));
                    let conversation = async move {
                        http1::Builder::new().keep_alive(false).serve_connection(stream, answers).await
                    };
                    conversations.push(tokio::time::timeout(CONVERSATION, conversation));
                }
                Err(error) => {
                    tracing::warn!("cannot accept a connection for metrics: {error}");
                    tokio::time::sleep(super::server::ACCEPT_AGAIN_AFTER).await;
                }
            },
            // Who has left, or dawdled, needs no answer.
            Some(_) = conversations.next() => {}
        }
    }
}

async fn answer(page: &Page, reconciler: &Handle, question: &Request<Incoming>) -> Response<Full<Bytes>> {
    if question.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
    }
    if !matches!(*question.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "metrics can be read (GET)\n");
    }
    let summary = tokio::time::timeout(ANSWER_TIME, reconciler.summary()).await;
    let text = summary.ok().flatten().map(|summary| page.written(&summary));
    match text {
        Some(Ok(text)) => typed(StatusCode::OK, page::CONTENT_TYPE, text),
        Some(Err(error)) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "the daemon is too busy to tell\n"),
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", text.into())
}

fn typed(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

/// Counts how often a connection to a database is lost, as long as there is one to be lost.
pub(super) async fn watch(mut connection: watch::Receiver<ConnectionState>, peer: Peer, meters: Meters) {
    let connected = |state: &ConnectionState| *state == ConnectionState::Connected;
    while connection.wait_for(connected).await.is_ok() {
        if connection.wait_for(|state| !connected(state)).await.is_err() {
            break;
        }
        meters.lost(&peer);
    }
    std::future::pending::<()>().await;
}
