//! The client: one task owns the socket and the replica; a [`Client`] is a cheap handle on it.

mod changes;
mod connection;
mod error;
mod group;
mod lock;
mod task;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use crate::monitor::Monitor;
use crate::notation::{Committed, TransactError, Transaction};
use crate::remote::Remotes;
use crate::replica::Replica;
use connection::Connection;
use task::{Command, Task};

pub use changes::{ChangeSet, Changes};
pub use error::{CallError, ConnectError, LockError, WaitError};
pub use lock::Lock;

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
    wakeup: Arc<Notify>,
}

/// How to connect. The default suits a server on the same host.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Silence after which the server is probed, and as much again until the connection is given up.
    /// `None`: never.
    pub probe_interval: Option<Duration>,
    /// How long one address may take to accept.
    pub connect_timeout: Duration,
    /// Delay before the first attempt to reconnect; doubles with each.
    pub min_backoff: Duration,
    /// Delay between attempts at most.
    pub max_backoff: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            probe_interval: Some(Duration::from_secs(10)),
            connect_timeout: Duration::from_secs(5),
            min_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(4),
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

impl Client {
    /// Connects to the first of `remotes` that answers, and resolves when the first full replica is there.
    /// Must be called within a tokio runtime. From then on the client reconnects by itself.
    pub async fn connect(
        remotes: &Remotes,
        monitor: Monitor,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let monitor = Arc::new(monitor);
        let empty = Replica::new(monitor.clone());
        let (connection, replica) = Connection::establish(remotes, &options, &monitor, &empty).await?;
        let (commands, command_queue) = mpsc::channel(COMMANDS);
        let (replica_sender, replica_receiver) = watch::channel(Arc::new(replica.clone()));
        let (update_sender, _) = broadcast::channel(UPDATES);
        let updates = update_sender.downgrade();
        let (state_sender, state) = watch::channel(ConnectionState::Connected);
        let wakeup = Arc::new(Notify::new());
        let task = Task::new(
            remotes.clone(),
            options,
            monitor,
            replica,
            command_queue,
            replica_sender,
            update_sender,
            state_sender,
            wakeup.clone(),
        );
        tokio::spawn(task.run(connection));
        Ok(Self { commands, replica: replica_receiver, updates, state, wakeup })
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

    /// Sends a transaction and waits for the server's answer. When it is `Ok`, [`replica`](Self::replica)
    /// shows its effect. A caller that stops waiting does not take the transaction back.
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
