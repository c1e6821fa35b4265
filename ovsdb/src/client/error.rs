use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::notation::ServerError;
use crate::remote::Remote;
use crate::replica::ReplicaError;
use crate::session::{MemberError, SessionError};

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nothing has that path: the server does not run, or listens elsewhere.
    #[error("{remote}: no such socket; is the database server running?")]
    NoSuchSocket {
        /// Where.
        remote: Remote,
    },
    /// Nobody listens there (any more).
    #[error("{remote}: connection refused; is the database server running?")]
    Refused {
        /// Where.
        remote: Remote,
    },
    /// This user may not.
    #[error("{remote}: permission denied; run as root or as a member of the socket's group")]
    PermissionDenied {
        /// Where.
        remote: Remote,
    },
    /// Nobody answered in time.
    #[error("{remote}: no answer within {} s", .after.as_secs_f32())]
    TimedOut {
        /// Where.
        remote: Remote,
        /// How long was waited.
        after: Duration,
    },
    /// Another failure of the socket.
    #[error("{remote}: cannot connect")]
    Io {
        /// Where.
        remote: Remote,
        /// What the system said.
        source: io::Error,
    },
    /// An `ssl:` address, and nothing that says how: neither `ConnectOptions::tls`, or not even the feature `tls`.
    #[error("{remote}: needs a CA certificate, and usually a private key and a certificate")]
    NoTlsOptions {
        /// Where.
        remote: Remote,
    },
    /// No TLS with the server.
    #[cfg(feature = "tls")]
    #[error("{remote}: cannot connect by TLS")]
    Tls {
        /// Where.
        remote: Remote,
        /// Why.
        source: super::TlsError,
    },
    /// The server has no such database.
    #[error("{remote}: the server has no database {database}")]
    NoSuchDatabase {
        /// Where.
        remote: Remote,
        /// The database.
        database: String,
    },
    /// Another member of the cluster may do, this one does not.
    #[error("{remote}: {source}")]
    Member {
        /// Where.
        remote: Remote,
        /// Why not.
        source: MemberError,
    },
    /// The server hung up before the replica was there.
    #[error("{remote}: the database server closed the connection")]
    Closed {
        /// Where.
        remote: Remote,
    },
    /// The server does not speak as it should, or will not let us monitor.
    #[error("{remote}: cannot copy the database")]
    Session {
        /// Where.
        remote: Remote,
        /// What is wrong.
        source: SessionError,
    },
    /// The server's dump contradicts itself.
    #[error("{remote}: inconsistent copy of the database")]
    Inconsistent {
        /// Where.
        remote: Remote,
        /// How.
        source: ReplicaError,
    },
    /// No address was given.
    #[error("no database address given")]
    NoRemote,
}

/// Why an established connection ended.
#[derive(Debug, Error)]
pub(super) enum ConnectionLost {
    #[error("the database server closed the connection")]
    Closed,
    #[error("the connection was given up for another")]
    GivenUp,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Session(#[from] SessionError),
    #[error("{0}")]
    Replica(#[from] ReplicaError),
}

/// Why waiting for a state of the replica ended.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WaitError {
    /// The deadline passed.
    #[error("the database did not get there in time")]
    Deadline,
    /// The connection was closed for good.
    #[error("the client was closed")]
    Closed,
}

/// Why a call has no result.
#[derive(Debug, Error)]
pub enum CallError {
    /// The server's words.
    #[error("refused by the database server: {0}")]
    Refused(ServerError),
    /// There is no connection, or it ended before the answer came.
    #[error("not connected to the database")]
    Disconnected,
    /// The parameters cannot be written as JSON.
    #[error("cannot write the call's parameters")]
    Encode(#[source] serde_json::Error),
    /// The answer is not what it should be.
    #[error("malformed answer from the database server")]
    Malformed(#[source] serde_json::Error),
}

/// Why conditions are not in force.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConditionError {
    /// The client's [`Monitor`](crate::Monitor) does not have the table.
    #[error("table {0} is not monitored")]
    NotMonitored(String),
    /// The server's words, usually that it lacks the column. The condition before stays in force.
    #[error("condition of table {table} refused by the database server: {error}")]
    Refused {
        /// The table.
        table: String,
        /// The server's words.
        error: ServerError,
    },
    /// The connection was closed for good.
    #[error("the client was closed")]
    Closed,
}

/// Why a lock cannot be had.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LockError {
    /// This client waits for it or has it already.
    #[error("this client has or awaits database lock {0} already")]
    Duplicate(String),
    /// There is no connection now. (A lock held over a reconnect is asked for again by itself.)
    #[error("not connected to the database")]
    Disconnected,
    /// The server's words.
    #[error("database lock refused: {0}")]
    Refused(ServerError),
    /// The connection was closed for good.
    #[error("the client was closed")]
    Closed,
}
