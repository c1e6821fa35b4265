use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use uuid::Uuid;

use super::connection::{Connection, Stream};
use super::error::ConnectError;
use super::{ConnectOptions, Peer};
use crate::monitor::{Monitor, MonitorCondition};
use crate::remote::{Remote, Remotes};
use crate::replica::Replica;
use crate::session::{ClusterSeen, Database, Reconnect, ReconnectOptions, SessionConfig};

/// Makes connections: carries out what [`Reconnect`] decides, and keeps what is to outlive a connection.
pub(super) struct Connector {
    remotes: Remotes,
    options: ConnectOptions,
    /// As asked for, with the conditions that the server acknowledged last; the replica's may lack what the server
    /// lacks.
    monitor: Arc<Monitor>,
    reconnect: Reconnect,
    seen: ClusterSeen,
    /// Whether the copy can be resumed from.
    resumable: bool,
    /// Whether there is one connection only, which was given to us.
    once: bool,
    peer: watch::Sender<Option<Peer>>,
}

impl Connector {
    pub(super) fn new(
        remotes: Remotes,
        options: ConnectOptions,
        monitor: Monitor,
        peer: watch::Sender<Option<Peer>>,
    ) -> Self {
        let reconnect_options = ReconnectOptions {
            shuffle: options.shuffle,
            min_backoff: options.min_backoff,
            max_backoff: options.max_backoff,
            spread: options.spread,
        };
        let (seed, _) = Uuid::new_v4().as_u64_pair();
        let reconnect = Reconnect::new(&remotes, reconnect_options, seed, Instant::now());
        let seen = ClusterSeen::default();
        Self {
            remotes,
            options,
            monitor: monitor.into(),
            reconnect,
            seen,
            resumable: true,
            once: false,
            peer,
        }
    }

    pub(super) fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }

    pub(super) fn remotes(&self) -> &Remotes {
        &self.remotes
    }

    /// What the server says of its copy changed.
    pub(super) fn member_changed(&self, database: Database) {
        self.peer.send_if_modified(|peer| match peer {
            Some(peer) => {
                peer.database = Some(database);
                true
            }
            None => false,
        });
    }

    /// The condition of a table is in force.
    pub(super) fn condition_changed(&mut self, table: String, condition: MonitorCondition) {
        Arc::make_mut(&mut self.monitor).set_condition(table, condition);
    }

    /// Whether another connection can be made when one is lost.
    pub(super) fn reconnects(&self) -> bool {
        !self.once
    }

    /// The first and only connection, over this stream.
    pub(super) async fn over(
        &mut self,
        stream: Pin<Box<dyn Stream>>,
        remote: &Remote,
        previous: &Replica,
    ) -> Result<(Connection, Replica), ConnectError> {
        self.once = true;
        let config = self.session_config(previous);
        let established = Connection::over(stream, remote, &self.options, config, previous).await?;
        self.peer.send_replace(Some(established.peer));
        Ok((established.connection, established.replica))
    }

    /// Tries each remote once; the error is the last one's. `previous` is the copy to resume from.
    pub(super) async fn connect(
        &mut self,
        previous: &Replica,
    ) -> Result<(Connection, Replica), ConnectError> {
        let mut last = ConnectError::NoRemote;
        for _ in 0..self.remotes.as_slice().len() {
            match self.attempt(previous).await {
                Ok(established) => return Ok(established),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// One attempt, when it is due.
    pub(super) async fn attempt(
        &mut self,
        previous: &Replica,
    ) -> Result<(Connection, Replica), ConnectError> {
        let attempt = self.reconnect.attempt().ok_or(ConnectError::NoRemote)?;
        let remote = self.remotes.as_slice().get(attempt.remote).ok_or(ConnectError::NoRemote)?;
        tokio::time::sleep_until(attempt.at.into()).await;
        let config = self.session_config(previous);
        match Connection::establish(remote, &self.options, config, previous).await {
            Ok(established) => {
                self.reconnect.connected(Instant::now());
                self.resumable = true;
                self.peer.send_replace(Some(established.peer));
                Ok((established.connection, established.replica))
            }
            Err(error) => {
                self.reconnect.failed(Instant::now());
                Err(error)
            }
        }
    }

    fn session_config(&self, previous: &Replica) -> SessionConfig {
        SessionConfig {
            monitor: self.monitor.clone(),
            last_transaction: previous.transaction().filter(|_| self.resumable),
            copied: Arc::new(previous.monitor().clone()),
            leader_only: self.options.leader_only,
            seen: self.seen,
            probe_interval: self.options.probe_interval,
        }
    }

    /// The connection ended; notes what it saw. `inconsistent`: because an update did not fit the copy, which is to be
    /// made anew.
    pub(super) fn lost(&mut self, mut connection: Connection, inconsistent: bool) {
        self.seen = connection.session().seen();
        self.resumable = !inconsistent;
        self.reconnect.lost(Instant::now());
        self.peer.send_replace(None);
    }

    /// The connection is given up for another one.
    pub(super) fn given_up(&mut self, mut connection: Connection) {
        self.seen = connection.session().seen();
        self.reconnect.given_up(Instant::now());
        self.peer.send_replace(None);
    }

    /// The next connection may be to another cluster, or to an older copy.
    pub(super) fn forget_cluster(&mut self) {
        self.seen = ClusterSeen::default();
    }
}
