//! OVSDB, the database protocol of Open vSwitch (RFC 7047 with the extensions of `ovsdb-server(7)`).
//!
//! Four layers, each usable without the ones above it:
//!
//! * [`wire`]: cuts a byte stream into JSON messages and reads the JSON-RPC 1.0 envelope;
//! * [`session`]: one connection as a state machine without socket or clock;
//! * [`replica`]: our copy of the monitored tables, an immutable snapshot after each change;
//! * [`client`] (feature `tokio`): one task that owns the socket and the replica, behind a cheap handle; feature `tls`
//!   adds `ssl:` addresses.
//!
//! [`notation`] holds the values and operations of the protocol, [`mod@table`] the typed view of a table, [`schema`]
//! what a server says of its tables.

pub mod backoff;
#[cfg(feature = "tokio")]
pub mod client;
pub mod monitor;
pub mod notation;
pub mod remote;
pub mod replica;
pub mod schema;
pub mod session;
pub mod table;
pub mod wire;

#[cfg(feature = "tokio")]
pub use client::{Client, ConnectOptions};
pub use monitor::Monitor;
pub use notation::{
    Atom, Committed, Condition, Mutation, Operation, ServerError, TransactError, Transaction, Value, Where,
};
pub use remote::{Remote, Remotes};
pub use replica::Replica;
pub use table::{AnyColumn, Column, Index, Ref, Table};
pub use uuid::Uuid;

#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
mod readme {}
