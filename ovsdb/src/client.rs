//! The client: one task owns the socket and the replica; a [`Client`] is a cheap handle on it.

mod changes;
mod conditions;
mod connection;
mod connector;
mod error;
mod group;
mod lock;
mod retry;
mod task;
#[cfg(feature = "tls")]
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use uuid::Uuid;

use crate::monitor::{Conditions, Monitor};
use crate::notation::{Committed, TransactError, Transaction};
use crate::remote::{Remote, Remotes};
use crate::replica::Replica;
use crate::session::Database;
use connection::Connection;
use connector::Connector;
use task::{Command, Task};

pub use changes::{ChangeSet, Changes};
pub use error::{CallError, ConditionError, ConnectError, LockError, WaitError};
pub use lock::Lock;
#[cfg(feature = "tls")]
pub use tls::{TlsError, TlsFile, TlsIdentity, TlsOptions};

/// Requests that wait for the task. A caller beyond that waits in `send`; the task takes all there are in
/// one turn, so this is also how many transactions share one write.
const COMMANDS: usize = 256;

/// How long [`Client::transact_grouped`] waits for others.
pub const GROUP_WINDOW: Duration = Duration::from_micros(1500);

/// Updates that wait for a reader of [`Changes`]. One that is further behind gets them merged.
const UPDATES: usize = 256;

/// A connection to one database: its replica, its transactions, its locks. Clones share it; when the last
/// one is dropped the connection is closed.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    replica: watch::Receiver<Arc<Replica>>,
    updates: broadcast::WeakSender<Arc<Replica>>,
    state: watch::Receiver<ConnectionState>,
    peer: watch::Receiver<Option<Peer>>,
    wakeup: Arc<Notify>,
}

/// How to connect. The default suits a server on the same host.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Silence after which the server is probed, and as much again until the connection is given up.
    /// `None`: never.
    pub probe_interval: Option<Duration>,
    /// How long one address may take to accept, TLS included.
    pub connect_timeout: Duration,
    /// Whether only the leader of a cluster will do. Any member that is in contact with its cluster serves as well:
    /// it forwards what is written. A client that is not the leader's any more moves on.
    pub leader_only: bool,
    /// Whether several remotes are tried in an order of our own and not in the one given.
    pub shuffle: bool,
    /// Delay after a connection was lost; doubles with each round of the remotes.
    pub min_backoff: Duration,
    /// That delay at most.
    pub max_backoff: Duration,
    /// A random part of this is added to each such delay, so that the clients of one server do not come back
    /// together; not where all remotes are `unix:`. For many clients: their number by the connections that the server
    /// takes a second (about 30 when each wants a dump), so 6 s for 200.
    pub spread: Duration,
    /// For `ssl:` addresses, which need it.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsOptions>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            probe_interval: Some(Duration::from_secs(10)),
            connect_timeout: Duration::from_secs(5),
            leader_only: false,
            shuffle: true,
            min_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(4),
            spread: Duration::from_secs(1),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// Whether the replica follows the database at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It does.
    Connected,
    /// It stands still; attempts to reconnect go on.
    Disconnected {
        /// Why, in one line.
        reason: String,
    },
}

/// The server at the other end.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Where it listens.
    pub remote: Remote,
    /// Whether it sent only what the replica had missed, and not the whole.
    pub resumed: bool,
    /// What it says of its copy of the database. `None`: it is older than Open vSwitch 2.10.
    pub database: Option<Database>,
}

impl Client {
    /// Tries each of `remotes` once, up to the first that answers and will do, and resolves when the first full replica
    /// is there. Must be called within a tokio runtime. From then on the client reconnects by itself, whenever the
    /// connection is lost and when the server is not fit any more: without contact to its cluster, or with
    /// [`leader_only`](ConnectOptions::leader_only) not its leader.
    ///
    /// # Errors
    ///
    /// Why the last of the remotes would not do.
    pub async fn connect(
        remotes: &Remotes,
        monitor: Monitor,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let (peer_sender, peer) = watch::channel(None);
        let mut connector = Connector::new(remotes.clone(), options, monitor, peer_sender);
        let empty = Replica::new(connector.monitor().clone());
        let (connection, replica) = connector.connect(&empty).await?;
        Ok(Self::new(connector, connection, replica, peer))
    }

    /// A client on a stream that is connected already: to a server that connected to us, as those do that `ovs-vsctl
    /// set-manager tcp:...` tells of us. `remote` is what error texts call it. Resolves when the replica is there.
    /// Must be called within a tokio runtime. When the stream ends the client is closed.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        remote: Remote,
        monitor: Monitor,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let (peer_sender, peer) = watch::channel(None);
        let mut connector = Connector::new(remote.clone().into(), options, monitor, peer_sender);
        let empty = Replica::new(connector.monitor().clone());
        let (connection, replica) = connector.over(Box::pin(stream), &remote, &empty).await?;
        Ok(Self::new(connector, connection, replica, peer))
    }

    fn new(
        connector: Connector,
        connection: Connection,
        replica: Replica,
        peer: watch::Receiver<Option<Peer>>,
    ) -> Self {
        let (commands, command_queue) = mpsc::channel(COMMANDS);
        let (replica_sender, replica_receiver) = watch::channel(Arc::new(replica.clone()));
        let (update_sender, _) = broadcast::channel(UPDATES);
        let updates = update_sender.downgrade();
        let (state_sender, state) = watch::channel(ConnectionState::Connected);
        let wakeup = Arc::new(Notify::new());
        let task = Task::new(
            connector,
            replica,
            command_queue,
            replica_sender,
            update_sender,
            state_sender,
            wakeup.clone(),
        );
        tokio::spawn(task.run(connection));
        Self { commands, replica: replica_receiver, updates, state, peer, wakeup }
    }

    /// The newest replica. It never changes; ask again for a newer one.
    pub fn replica(&self) -> Arc<Replica> {
        self.replica.borrow().clone()
    }

    /// Resolves (`changed`) whenever there is a newer replica than at this call. Several updates may become
    /// one. Ends with an error when the connection was closed for good.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Replica>> {
        let mut receiver = self.replica.clone();
        receiver.mark_unchanged();
        receiver
    }

    /// The changes from now on, one set a transaction. Across a reconnect the new dump is compared with the
    /// last replica, so that no change is missed, deletes included.
    pub fn changes(&self) -> Changes {
        let updates = match self.updates.upgrade() {
            Some(sender) => sender.subscribe(),
            // Closed: ends at once.
            None => broadcast::channel(1).1,
        };
        Changes::new(self.replica(), updates)
    }

    /// The state of the connection, to look at or to wait on.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.clone()
    }

    /// The server at the other end, to look at or to wait on. `None` while there is none.
    pub fn peer(&self) -> watch::Receiver<Option<Peer>> {
        self.peer.clone()
    }

    /// The server's own id, another one whenever it starts (`get_server_id`, Open vSwitch 2.7).
    pub async fn server_id(&self) -> Result<Uuid, CallError> {
        let answer = self.call("get_server_id", &[(); 0]).await?;
        serde_json::from_str(answer.get()).map_err(CallError::Malformed)
    }

    /// Takes the cluster as it is from now on, another one or an older copy: after a restore from a backup, say.
    /// Otherwise servers are refused that are behind what was seen, or of a cluster other than the first.
    pub async fn forget_cluster(&self) {
        // The client was closed: nothing to forget.
        let _ = self.commands.send(Command::ForgetCluster).await;
    }

    /// Gives up the connection for another one, made at once, with the next remote: for another view of a cluster, or
    /// with certificates that have changed. [`state`](Self::state) tells when it is there. Transactions under way
    /// end as if it had been lost. A client [over](Self::over) a stream is closed.
    pub async fn reconnect(&self) {
        // The client was closed: there is no connection.
        let _ = self.commands.send(Command::Reconnect).await;
    }

    /// Waits until `predicate` holds of the replica, and gives that replica. It is asked once for each replica that
    /// is published, and while it is busy no newer one is: look up by index rather than by a scan.
    pub async fn wait_for(
        &self,
        mut predicate: impl FnMut(&Replica) -> bool,
        deadline: Instant,
    ) -> Result<Arc<Replica>, WaitError> {
        let mut replica = self.replica.clone();
        let found = tokio::time::timeout_at(deadline.into(), replica.wait_for(|replica| predicate(replica)));
        match found.await {
            Err(_) => Err(WaitError::Deadline),
            Ok(Err(_)) => Err(WaitError::Closed),
            Ok(Ok(replica)) => Ok(replica.clone()),
        }
    }

    /// Changes which rows are copied; a table that is not named keeps its condition. Resolves when the server has
    /// acknowledged it and [`replica`](Self::replica) shows it. What is asked for while there is no connection, or
    /// while a change is under way, is kept and sent then; of several wishes for one table the last counts, for
    /// whoever waits. A caller that stops waiting does not take it back. When the server refuses the condition of
    /// one table, those of the others still come into force. See [`Conditions`] for servers that have no
    /// conditions.
    pub async fn set_conditions(&self, conditions: Conditions) -> Result<(), ConditionError> {
        let (answer, outcome) = oneshot::channel();
        let command = Command::SetConditions { conditions, answer };
        self.commands.send(command).await.map_err(|_| ConditionError::Closed)?;
        outcome.await.unwrap_or(Err(ConditionError::Closed))
    }

    /// Sends a transaction and waits for the server's answer. When it is `Ok`, [`replica`](Self::replica)
    /// shows its effect. A caller that stops waiting does not take the transaction back. When the connection is lost
    /// before the answer, the outcome is [unknown](TransactError::is_outcome_unknown);
    /// [`transact_until`](Self::transact_until) finds it out.
    pub async fn transact(&self, transaction: Transaction) -> Result<Committed, TransactError> {
        self.transact_as(transaction, false).await
    }

    /// As [`transact`](Self::transact), but waits up to [`GROUP_WINDOW`] for other transactions asked for in this
    /// way, and sends all as one: with many callers several times the rate, at the price of that delay. When
    /// the server refuses the whole, each is sent by itself, so that one's failure is not another's.
    pub async fn transact_grouped(&self, transaction: Transaction) -> Result<Committed, TransactError> {
        self.transact_as(transaction, true).await
    }

    async fn transact_as(&self, transaction: Transaction, grouped: bool) -> Result<Committed, TransactError> {
        let (answer, outcome) = oneshot::channel();
        let closed = || TransactError::NotConnected { reason: "the client was closed".to_owned() };
        let command = Command::Transact { transaction, grouped, answer };
        self.commands.send(command).await.map_err(|_| closed())?;
        outcome.await.unwrap_or_else(|_| {
            Err(TransactError::Disconnected { reason: "the client was closed".to_owned() })
        })
    }

    /// Any other method of the server, such as `list_dbs`. Gives its result unparsed.
    pub async fn call(&self, method: &str, params: &impl Serialize) -> Result<Box<RawValue>, CallError> {
        let (answer, outcome) = oneshot::channel();
        let params = serde_json::value::to_raw_value(params).map_err(CallError::Encode)?;
        let command = Command::Call { method: method.to_owned(), params, answer };
        self.commands.send(command).await.map_err(|_| CallError::Disconnected)?;
        outcome.await.unwrap_or(Err(CallError::Disconnected))
    }

    /// Waits until the database's lock `name` is ours. One at a time a name and client.
    pub async fn lock(&self, name: &str) -> Result<Lock, LockError> {
        let mut lock = self.request_lock(name, false).await?;
        lock.answered().await?;
        lock.held().await?;
        Ok(lock)
    }

    /// The lock `name` if it is free; `None` when another client has it.
    pub async fn try_lock(&self, name: &str) -> Result<Option<Lock>, LockError> {
        let mut lock = self.request_lock(name, false).await?;
        lock.answered().await?;
        Ok(lock.is_held().then_some(lock))
    }

    /// Takes the lock `name` from whoever has it.
    pub async fn steal_lock(&self, name: &str) -> Result<Lock, LockError> {
        let mut lock = self.request_lock(name, true).await?;
        lock.answered().await?;
        Ok(lock)
    }

    async fn request_lock(&self, name: &str, steal: bool) -> Result<Lock, LockError> {
        let (state, lock) = Lock::new(name.to_owned(), self.wakeup.clone());
        let command = Command::Lock { name: name.to_owned(), steal, state };
        self.commands.send(command).await.map_err(|_| LockError::Closed)?;
        Ok(lock)
    }
}
