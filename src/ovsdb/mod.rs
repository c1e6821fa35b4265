//! The database of Open vSwitch: what it holds, and the transactions that change it.

mod address;
mod bridges;
mod marks;
mod observe;
mod ports;
mod show;
mod survey;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport_ovsdb::client::{ConnectError, ConnectionState};
use flowport_ovsdb::{Client, Committed, ConnectOptions, Monitor, Replica, TransactError, Transaction, Uuid};
use flowport_ovsdb_schema::open_vswitch::{Bridge, Interface, OpenVSwitch, Port};
use tokio::sync::watch;

use crate::refused::Refused;

pub use address::{Address, TlsFiles};
pub use bridges::{Forwarding, TakenUp};
pub use flowport_ovsdb::client::Lock;
pub use observe::{RowReader, Rows};
pub use show::{ShownBridge, ShownPort};
pub use survey::{Survey, SurveyedBridge, SurveyedPort};

/// The lock that whoever changes ports and flows of this database holds, so that nobody undoes another's work.
const LOCK: &str = "flowport";
/// The lock that a daemon holds beside that one: what holds [`LOCK`] alone is a command, and ends soon.
const DAEMON_LOCK: &str = "flowport_daemon";

/// A connection to the database, cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    client: Client,
    /// The user's word for it.
    address: Arc<str>,
    /// Ports that we took away, with the configuration's number (`next_cfg`) from which on they are not in it.
    taken_away: Arc<watch::Sender<BTreeMap<String, i64>>>,
}

/// A transaction that changed nothing, or of which that is not known.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{line}")]
pub struct TransactionFailed {
    line: String,
    /// Whether the database objects to what it was asked for, whoever asks and whenever.
    pub objects: bool,
    /// Whether it may have been made all the same: the connection was lost before the answer.
    pub may_be_made: bool,
    /// Whether it was not for us to make: another one has the lock.
    pub disowned: bool,
}

impl From<TransactError> for TransactionFailed {
    fn from(error: TransactError) -> Self {
        use TransactError::{Constraint, Disconnected, DuplicateUuid, NotConnected, NotOwner, Refused};
        let start = "is ovsdb-server running? see `systemctl status openvswitch-switch`";
        let line = match &error {
            NotConnected { .. } | Disconnected { .. } => format!("{error}: {start}"),
            _ => error.to_string(),
        };
        let objects = matches!(error, Constraint { .. } | DuplicateUuid(_) | Refused(_));
        let disowned = matches!(error, NotOwner(_));
        Self { line, objects, may_be_made: error.is_outcome_unknown(), disowned }
    }
}

impl From<TransactionFailed> for Refused {
    fn from(error: TransactionFailed) -> Self {
        Self::other(error.to_string())
    }
}

impl Database {
    /// Connects, and returns when what we watch of the database has been read.
    ///
    /// # Errors
    ///
    /// There is no server, or it does not let us in.
    pub async fn connect(address: &Address, timeout: Duration) -> Result<Self, Refused> {
        let tls = address.tls.clone();
        let options = ConnectOptions { connect_timeout: timeout, tls, ..ConnectOptions::default() };
        let client = Client::connect(&address.remotes, watched(), options)
            .await
            .map_err(|error| no_database(address, &error))?;
        Ok(Self { client, address: address.as_str().into(), taken_away: Arc::new(watch::Sender::default()) })
    }

    /// Waits until this process may change ports and flows.
    ///
    /// # Errors
    ///
    /// Another one does, and goes on doing so.
    pub async fn lock(&self, timeout: Duration) -> Result<Lock, Refused> {
        let held = tokio::time::timeout(timeout, self.client.lock(LOCK)).await;
        let lock = held.map_err(|_| self.locked())?.map_err(|error| Refused::other(error.to_string()))?;
        // What the holder before us changed is seen before we begin.
        self.seen_all().await?;
        Ok(lock)
    }

    /// The lock that makes this process the one daemon of the database.
    ///
    /// # Errors
    ///
    /// Another daemon has it, or the server does not answer.
    pub async fn daemon_lock(&self, timeout: Duration) -> Result<Lock, Refused> {
        let answer = tokio::time::timeout(timeout, self.client.try_lock(DAEMON_LOCK)).await;
        let silent = |_| Refused::other(format!("no answer from the database at {}", self.address));
        let lock = answer.map_err(silent)?.map_err(|error| Refused::other(error.to_string()))?;
        lock.ok_or_else(|| self.locked())
    }

    /// Returns when all is seen that was in the database when this was called.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub async fn seen_all(&self) -> Result<(), TransactionFailed> {
        self.commit(Transaction::new()).await.map(drop)
    }

    /// Its identity, the same as long as its file is: that of the row of table `Open_vSwitch`.
    pub fn id(&self) -> Option<Uuid> {
        self.replica().rows::<OpenVSwitch>().next().map(|(row, _)| row)
    }

    /// What is said to who may change nothing, because another process does.
    pub fn locked(&self) -> Refused {
        Refused::other(format!(
            "another Flowport rules over {}: ask that one (--socket tells where its daemon listens), or stop it",
            self.address
        ))
    }

    /// What is in the database now.
    pub fn rows(&self) -> Rows {
        observe::rows(&self.replica())
    }

    /// Becomes ready whenever the database has changed since the last time.
    pub fn changes(&self) -> watch::Receiver<Arc<Replica>> {
        self.client.subscribe()
    }

    /// Waits until the connection is there, which makes itself again whenever it was lost; then what the database
    /// holds has been read too.
    ///
    /// # Errors
    ///
    /// It is not there before the deadline.
    pub async fn connected(&self, deadline: Instant) -> Result<(), TransactionFailed> {
        let mut state = self.client.state();
        let there = state.wait_for(|state| *state == ConnectionState::Connected);
        if matches!(tokio::time::timeout_at(deadline.into(), there).await, Ok(Ok(_))) {
            return Ok(());
        }
        let reason = match &*state.borrow() {
            ConnectionState::Disconnected { reason } => reason.clone(),
            _ => "no answer".to_owned(),
        };
        Err(TransactError::NotConnected { reason }.into())
    }

    /// Whether there is a connection to the server, to look at or to wait on.
    pub fn connection(&self) -> watch::Receiver<ConnectionState> {
        self.client.state()
    }

    fn replica(&self) -> Arc<Replica> {
        self.client.replica()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, TransactionFailed> {
        Ok(self.client.transact(transaction).await?)
    }
}

/// The columns that are looked at; statistics, which change all the time, are not among them.
fn watched() -> Monitor {
    Monitor::of_only::<OpenVSwitch>(&[
        OpenVSwitch::BRIDGES.any(),
        OpenVSwitch::CUR_CFG.any(),
        OpenVSwitch::EXTERNAL_IDS.any(),
    ])
    .and_only::<Bridge>(&[
        Bridge::NAME.any(),
        Bridge::PORTS.any(),
        Bridge::DATAPATH_TYPE.any(),
        Bridge::FAIL_MODE.any(),
        Bridge::PROTOCOLS.any(),
        Bridge::EXTERNAL_IDS.any(),
    ])
    .and_only::<Port>(&[Port::NAME.any(), Port::INTERFACES.any(), Port::TAG.any(), Port::TRUNKS.any()])
    .and_only::<Interface>(&[
        Interface::NAME.any(),
        Interface::TYPE.any(),
        Interface::OPTIONS.any(),
        Interface::OFPORT.any(),
        Interface::OFPORT_REQUEST.any(),
        Interface::MAC_IN_USE.any(),
        Interface::ERROR.any(),
        Interface::EXTERNAL_IDS.any(),
    ])
}

fn no_database(address: &Address, error: &ConnectError) -> Refused {
    let start = "start it with `systemctl start openvswitch-switch`, or name another with --db";
    match error {
        ConnectError::NoSuchSocket { .. } | ConnectError::Refused { .. } => {
            Refused::other(format!("ovsdb-server is not running (no answer on {address}): {start}"))
        }
        ConnectError::PermissionDenied { .. } => {
            Refused::other(format!("permission denied on {address}: run as root"))
        }
        error => Refused::because(error),
    }
}
