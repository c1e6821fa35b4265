//! One connection to a database server as a state machine: bytes and `now` in, bytes, events and the next
//! deadline out. No socket, no clock, no task.
//!
//! A driver writes [`poll_transmit`](Session::poll_transmit), feeds what it reads to
//! [`handle_bytes`](Session::handle_bytes), calls [`handle_timeout`](Session::handle_timeout) at
//! [`poll_timeout`](Session::poll_timeout), and after each of these drains
//! [`poll_event`](Session::poll_event). After an error the connection is to be closed; [`Reconnect`] says which remote
//! is next and when, and [`Retry`] what becomes of a transaction whose outcome is not known.

mod conditions;
mod member;
mod monitoring;
mod reconnect;
mod retry;
mod server_database;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use thiserror::Error;
use uuid::Uuid;

use crate::monitor::{Monitor, MonitorCondition, Updates};
use crate::notation::{Committed, Operation, ServerError, TransactError, Transaction};
use crate::replica::ReplicaError;
use crate::wire::{self, EnvelopeError, Framer, FramingError, Message};
use conditions::ConditionChanges;
use monitoring::Monitoring;
use server_database::{SERVER_MONITOR_ID, ServerDatabase};

pub use member::{ClusterSeen, Database, MemberError, Model};
pub use reconnect::{Attempt, Reconnect, ReconnectOptions};
pub use retry::{Retry, Settled, Step};

/// A server that computes a large dump sends nothing meanwhile: 8 s were measured for 50,000 ports.
const PATIENCE_FOR_DUMP: Duration = Duration::from_secs(60);

/// A request of ours, unique on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u64);

/// What happened on the connection.
#[derive(Debug)]
pub enum Event {
    /// What the server says of its copy of the database: before the copy begins, and after each change. A server
    /// older than Open vSwitch 2.10 says nothing.
    Member(Database),
    /// The copy begins: the dump, or after a resume what was missed. Comes again when the database was converted to
    /// another schema.
    Monitored {
        /// What the server monitors: as asked for, less what it does not have. Without the conditions, which may
        /// change later.
        monitor: Arc<Monitor>,
        /// Rows.
        updates: Updates,
        /// Whether `updates` continue the copy that `last_transaction` stood for.
        resumed: bool,
        /// The transaction it reflects, where the server names it.
        transaction: Option<Uuid>,
    },
    /// The copy changed. Comes before the answer to the transaction of ours that caused it.
    Updated {
        /// Rows.
        updates: Updates,
        /// The transaction it reflects, where the server names it.
        transaction: Option<Uuid>,
    },
    /// The condition of a table is in force, and the copy shows it.
    ConditionAcknowledged {
        /// Name of the table.
        table: String,
        /// As asked for.
        condition: MonitorCondition,
    },
    /// The server refused the condition of a table; the one before stays in force.
    ConditionRefused {
        /// Name of the table.
        table: String,
        /// As asked for.
        condition: MonitorCondition,
        /// The server's words.
        error: ServerError,
    },
    /// A transaction was answered.
    Transacted {
        /// As [`Session::transact`] gave it.
        id: RequestId,
        /// The server's answer.
        outcome: Result<Committed, TransactError>,
    },
    /// Another call was answered.
    Answered {
        /// As [`Session::call`] gave it.
        id: RequestId,
        /// The server's answer.
        outcome: Result<Box<RawValue>, ServerError>,
    },
    /// The state of a lock, told after each change and perhaps again.
    Lock {
        /// Name of the lock.
        name: String,
        /// Whether it is ours; else we are queued for it.
        owned: bool,
    },
    /// The server refused a lock.
    LockRefused {
        /// Name of the lock.
        name: String,
        /// Its words.
        error: ServerError,
    },
}

/// Why the connection must be closed.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The stream cannot be cut into messages.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// A message is not JSON-RPC.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A known message does not have the parameters that it should.
    #[error("malformed {what} from the database server")]
    Malformed {
        /// Which message.
        what: &'static str,
        /// How.
        source: serde_json::Error,
    },
    /// The server's copy of the database does not do.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// What the server tells of itself contradicts itself.
    #[error("inconsistent database _Server")]
    Inconsistent(#[from] ReplicaError),
    /// The server does not have the database.
    #[error("the server has no database {0}")]
    NoSuchDatabase(String),
    /// The server will not let us monitor, in any way that we know.
    #[error("cannot monitor database {database}: {error}")]
    MonitorRefused {
        /// The database.
        database: String,
        /// The server's words.
        error: ServerError,
    },
    /// Nothing came for twice the probe interval, nor an answer to our probe.
    #[error("no sign of life from the database server for {} s", .0.as_secs())]
    Silent(Duration),
    /// A value of ours cannot be written as JSON.
    #[error("cannot write request")]
    Encode(#[source] serde_json::Error),
}

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// What to copy.
    pub monitor: Arc<Monitor>,
    /// The transaction up to which a copy is there already.
    pub last_transaction: Option<Uuid>,
    /// What that copy holds. It is resumed only where the server's schema leaves the same of `monitor`.
    pub copied: Arc<Monitor>,
    /// Whether only the leader of a cluster will do.
    pub leader_only: bool,
    /// What earlier connections saw of the cluster.
    pub seen: ClusterSeen,
    /// Silence after which the server is probed, and as much again until it is given up. `None`: never.
    pub probe_interval: Option<Duration>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Session {
    database: Arc<str>,
    framer: Framer,
    output: Vec<u8>,
    events: VecDeque<Event>,
    next_id: u64,
    in_flight: HashMap<u64, Request>,
    server: ServerDatabase,
    /// Answers to transactions, kept back until the dump that shows their effect.
    held: VecDeque<Event>,
    monitoring: Monitoring,
    conditions: ConditionChanges,
    /// Locks wanted; whether each is ours.
    locks: BTreeMap<String, bool>,
    probe_interval: Option<Duration>,
    last_received: Instant,
    probed: Option<Instant>,
}

#[derive(Debug)]
enum Request {
    ServerDatabase,
    Schema,
    Monitor,
    /// Of one table.
    MonitorCondChange(String),
    Transact {
        operations: usize,
    },
    Lock(String),
    Call,
    /// Its answer tells nothing more: echo, unlock.
    Ignored,
}

impl Session {
    /// A connection just made. It asks what the server says of its copy of the database, then for the schema, then
    /// for the copy.
    pub fn new(config: SessionConfig, now: Instant) -> Result<Self, SessionError> {
        let mut session = Self {
            database: config.monitor.database().into(),
            framer: Framer::default(),
            output: Vec::new(),
            events: VecDeque::new(),
            next_id: 0,
            in_flight: HashMap::new(),
            server: ServerDatabase::new(config.leader_only, config.seen),
            held: VecDeque::new(),
            monitoring: Monitoring::new(config.monitor, config.copied, config.last_transaction),
            conditions: ConditionChanges::default(),
            locks: BTreeMap::new(),
            probe_interval: config.probe_interval,
            last_received: now,
            probed: None,
        };
        session.request_server_database()?;
        Ok(session)
    }

    /// Bytes to write to the peer. Call again after any other call.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output))
    }

    /// How many bytes [`poll_transmit`](Self::poll_transmit) would give.
    pub fn unsent(&self) -> usize {
        self.output.len()
    }

    /// What happened, oldest first. Call until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. Changes with every call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        Some(self.probed.unwrap_or(self.last_received) + self.patience()?)
    }

    /// What was seen of the cluster so far, for the next connection.
    pub fn seen(&self) -> ClusterSeen {
        self.server.seen
    }

    /// Begins to see the cluster anew.
    pub fn forget_cluster(&mut self) {
        self.server.seen = ClusterSeen::default();
    }

    /// Takes bytes read from the peer.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) -> Result<(), SessionError> {
        self.last_received = now;
        self.probed = None;
        self.framer.extend(bytes);
        while let Some(text) = self.framer.next_message()? {
            tracing::trace!(bytes = text.len(), "received");
            self.handle_message(Message::parse(&text)?)?;
        }
        Ok(())
    }

    /// Does what is due: probes a silent peer, or gives it up.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        if self.probed.is_some() {
            return Err(SessionError::Silent(now - self.last_received));
        }
        if self.monitoring.awaits_server() {
            return Err(SessionError::NoSuchDatabase(self.database.to_string()));
        }
        self.probed = Some(now);
        self.request("echo", &json!([]), Request::Ignored).map(drop)
    }

    /// Sends a transaction; [`Event::Transacted`] answers it.
    pub fn transact(&mut self, transaction: &Transaction) -> Result<RequestId, SessionError> {
        let operations = transaction.operations();
        let request = Request::Transact { operations: operations.len() };
        let database = self.database.clone();
        self.request("transact", &TransactParams { database: &database, operations }, request)
    }

    /// Sends any other request (`list_dbs`, `get_schema`, `get_server_id`); [`Event::Answered`] answers it.
    pub fn call(&mut self, method: &str, params: &impl Serialize) -> Result<RequestId, SessionError> {
        self.request(method, params, Request::Call)
    }

    /// Gives up waiting for an answer where the server still can. The answer then says `canceled`.
    pub fn cancel(&mut self, id: RequestId) -> Result<(), SessionError> {
        wire::write_notification(&mut self.output, "cancel", &[id.0]).map_err(SessionError::Encode)
    }

    /// Queues for a lock. [`Event::Lock`] tells whether it is ours, now and after each change.
    pub fn lock(&mut self, name: &str) -> Result<(), SessionError> {
        self.request_lock("lock", name)
    }

    /// Takes a lock, from its owner if need be.
    pub fn steal(&mut self, name: &str) -> Result<(), SessionError> {
        self.request_lock("steal", name)
    }

    /// Gives a lock back, or leaves its queue.
    pub fn unlock(&mut self, name: &str) -> Result<(), SessionError> {
        if self.locks.remove(name).is_some() {
            self.request("unlock", &[name], Request::Ignored)?;
        }
        Ok(())
    }

    fn request_lock(&mut self, method: &str, name: &str) -> Result<(), SessionError> {
        self.locks.insert(name.to_owned(), false);
        self.request(method, &[name], Request::Lock(name.to_owned())).map(drop)
    }

    fn request(
        &mut self,
        method: &str,
        params: &impl Serialize,
        request: Request,
    ) -> Result<RequestId, SessionError> {
        let id = self.next_id;
        wire::write_request(&mut self.output, id, method, params).map_err(SessionError::Encode)?;
        self.next_id += 1;
        self.in_flight.insert(id, request);
        Ok(RequestId(id))
    }

    fn patience(&self) -> Option<Duration> {
        let interval = self.probe_interval?;
        Some(if self.monitoring.awaits_dump() { interval.max(PATIENCE_FOR_DUMP) } else { interval })
    }

    fn handle_message(&mut self, message: Message<'_>) -> Result<(), SessionError> {
        match message {
            Message::Request { id, method, params } if method == "echo" => {
                wire::write_response(&mut self.output, id, &params).map_err(SessionError::Encode)
            }
            Message::Request { method, .. } => {
                tracing::debug!(%method, "request from the database server ignored");
                Ok(())
            }
            Message::Notification { method, params } => self.handle_notification(&method, params),
            Message::Response { id, outcome } => {
                let request = id.get().parse().ok().and_then(|id| Some((id, self.in_flight.remove(&id)?)));
                match request {
                    Some((id, request)) => self.handle_response(RequestId(id), request, outcome),
                    None => {
                        tracing::debug!(id = id.get(), "answer to no request of ours");
                        Ok(())
                    }
                }
            }
        }
    }

    fn handle_notification(&mut self, method: &str, params: &RawValue) -> Result<(), SessionError> {
        match method {
            "update" | "update2" => {
                let (monitor, updates): (String, &RawValue) = parse(params, "update")?;
                if monitor == SERVER_MONITOR_ID {
                    return self.server_database_updated(updates);
                }
                self.events.extend(self.monitoring.updated(None, updates)?);
            }
            "update3" => {
                let (_, transaction, updates): (IgnoredAny, Uuid, &RawValue) = parse(params, "update")?;
                self.events.extend(self.monitoring.updated(Some(transaction), updates)?);
            }
            "monitor_canceled" => {
                let [monitor]: [String; 1] = parse(params, "monitor_canceled")?;
                if monitor != SERVER_MONITOR_ID {
                    self.monitor_canceled()?;
                }
            }
            "locked" | "stolen" => {
                let [name]: [String; 1] = parse(params, "lock notification")?;
                self.lock_changed(name, method == "locked");
            }
            _ => tracing::debug!(method, "unknown notification"),
        }
        Ok(())
    }

    fn handle_response(
        &mut self,
        id: RequestId,
        request: Request,
        outcome: Result<Option<&RawValue>, &RawValue>,
    ) -> Result<(), SessionError> {
        let outcome = outcome.map_err(ServerError::parse);
        match request {
            Request::ServerDatabase => return self.server_database_answered(outcome),
            Request::Schema => return self.schema_answered(outcome),
            Request::Monitor => return self.monitor_answered(outcome),
            Request::MonitorCondChange(table) => return self.condition_answered(table, outcome.map(drop)),
            Request::Transact { operations } => {
                let outcome = match outcome {
                    Ok(result) => crate::notation::parse_results(result, operations),
                    Err(error) => {
                        Err(TransactError::from(crate::notation::OperationFailed { operation: None, error }))
                    }
                };
                let shown = self.monitoring.is_established();
                let events = if shown { &mut self.events } else { &mut self.held };
                events.push_back(Event::Transacted { id, outcome });
            }
            Request::Call => {
                let outcome = outcome.map(|result| result.unwrap_or(RawValue::NULL).to_owned());
                self.events.push_back(Event::Answered { id, outcome });
            }
            Request::Lock(name) => self.lock_answered(name, outcome)?,
            Request::Ignored => {}
        }
        Ok(())
    }

    fn lock_answered(
        &mut self,
        name: String,
        outcome: Result<Option<&RawValue>, ServerError>,
    ) -> Result<(), SessionError> {
        #[derive(serde::Deserialize)]
        struct Locked {
            locked: bool,
        }
        match outcome {
            Ok(result) => {
                let malformed = |source| SessionError::Malformed { what: "answer to lock", source };
                let Locked { locked } =
                    serde_json::from_str(result.map_or("null", RawValue::get)).map_err(malformed)?;
                self.lock_changed(name, locked);
            }
            Err(error) => {
                self.locks.remove(&name);
                self.events.push_back(Event::LockRefused { name, error });
            }
        }
        Ok(())
    }

    /// `locked` may come more than once and for a lock given back meanwhile.
    fn lock_changed(&mut self, name: String, owned: bool) {
        if let Some(state) = self.locks.get_mut(&name) {
            *state = owned;
            self.events.push_back(Event::Lock { name, owned });
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(params: &'a RawValue, what: &'static str) -> Result<T, SessionError> {
    serde_json::from_str(params.get()).map_err(|source| SessionError::Malformed { what, source })
}

/// `[database, operation...]`
struct TransactParams<'a> {
    database: &'a str,
    operations: &'a [Operation],
}

impl Serialize for TransactParams<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut seq = serializer.serialize_seq(Some(self.operations.len() + 1))?;
        seq.serialize_element(self.database)?;
        for operation in self.operations {
            seq.serialize_element(operation)?;
        }
        seq.end()
    }
}

#[cfg(test)]
mod tests;
