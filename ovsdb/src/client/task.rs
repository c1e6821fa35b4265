use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::conditions::ConditionWishes;
use super::connection::Connection;
use super::connector::Connector;
use super::error::{CallError, ConditionError, ConnectError, ConnectionLost};
use super::group::{Gathering, Outcome, Sent, Waiting};
use super::lock::{LockFailure, LockState};
use super::{COMMANDS, ConnectionState};
use crate::monitor::Conditions;
use crate::notation::{Group, TransactError, Transaction};
use crate::replica::Replica;
use crate::session::{Event, RequestId, Session, SessionError};

/// Unsent bytes beyond which no more requests are taken: several transactions of a thousand rows.
const HIGH_WATER: usize = 4 << 20;

/// What a handle asks of the task.
#[derive(Debug)]
pub(super) enum Command {
    Transact { transaction: Transaction, grouped: bool, answer: oneshot::Sender<Outcome> },
    SetConditions { conditions: Conditions, answer: oneshot::Sender<Result<(), ConditionError>> },
    Call { method: String, params: Box<RawValue>, answer: Answer },
    Lock { name: String, steal: bool, state: watch::Sender<LockState> },
    ForgetCluster,
    Reconnect,
}

type Answer = oneshot::Sender<Result<Box<RawValue>, CallError>>;

/// Owns the connection, the replica and everything that waits for an answer.
pub(super) struct Task {
    connector: Connector,
    conditions: ConditionWishes,
    replica: Replica,
    commands: mpsc::Receiver<Command>,
    published: watch::Sender<Arc<Replica>>,
    updates: broadcast::Sender<Arc<Replica>>,
    state: watch::Sender<ConnectionState>,
    wakeup: Arc<Notify>,
    transactions: HashMap<RequestId, Sent>,
    gathering: Gathering,
    calls: HashMap<RequestId, Answer>,
    locks: HashMap<String, watch::Sender<LockState>>,
}

impl Task {
    pub(super) fn new(
        connector: Connector,
        replica: Replica,
        commands: mpsc::Receiver<Command>,
        published: watch::Sender<Arc<Replica>>,
        updates: broadcast::Sender<Arc<Replica>>,
        state: watch::Sender<ConnectionState>,
        wakeup: Arc<Notify>,
    ) -> Self {
        let (conditions, transactions, gathering, calls, locks) = Default::default();
        Self {
            connector,
            conditions,
            replica,
            commands,
            published,
            updates,
            state,
            wakeup,
            transactions,
            gathering,
            calls,
            locks,
        }
    }

    /// Until the last handle is dropped.
    pub(super) async fn run(mut self, mut connection: Connection) {
        loop {
            let Err(mut lost) = self.serve(&mut connection).await else { return };
            if !matches!(lost, ConnectionLost::Replica(_)) {
                // What came before the end counts.
                lost = self.handle_events(connection.session()).err().unwrap_or(lost);
            }
            let inconsistent = matches!(lost, ConnectionLost::Replica(_));
            if inconsistent {
                self.replica = Replica::clone(&self.published.borrow());
            }
            match lost {
                ConnectionLost::GivenUp => self.connector.given_up(connection),
                _ => self.connector.lost(connection, inconsistent),
            }
            self.disconnected(&lost);
            if !self.connector.reconnects() {
                return;
            }
            match self.reconnect().await {
                Some(established) => connection = established,
                None => return,
            }
        }
    }

    /// Serves one connection. `Ok`: no handle is left.
    async fn serve(&mut self, connection: &mut Connection) -> Result<(), ConnectionLost> {
        loop {
            self.handle_events(connection.session())?;
            tokio::select! {
                turned = connection.turn() => turned?,
                command = self.commands.recv(), if connection.backlog() < HIGH_WATER => {
                    let Some(command) = command else { return Ok(()) };
                    self.handle_command(command, connection.session())?;
                    for _ in 1..COMMANDS {
                        let Ok(command) = self.commands.try_recv() else { break };
                        self.handle_command(command, connection.session())?;
                    }
                }
                () = due(self.gathering.deadline()) => self.send_group(connection.session())?,
                () = self.wakeup.notified() => self.release_dropped(connection.session())?,
            }
        }
    }

    fn handle_command(&mut self, command: Command, session: &mut Session) -> Result<(), ConnectionLost> {
        match command {
            Command::Transact { transaction, grouped, answer } => {
                let waiting = Waiting { transaction, answer };
                if !grouped || !Group::admits(&waiting.transaction) {
                    self.send(waiting, session)?;
                } else if self.gathering.add(waiting) {
                    self.send_group(session)?;
                }
            }
            Command::SetConditions { conditions, answer } => {
                let sent = conditions.clone();
                if self.conditions.add(conditions, answer, self.connector.monitor()) {
                    session.set_conditions(sent)?;
                }
            }
            Command::Call { method, params, answer } => {
                self.calls.insert(session.call(&method, &params)?, answer);
            }
            Command::Lock { name, steal, state } => {
                // The one before may have been dropped a moment ago.
                self.release_dropped(session)?;
                if self.locks.contains_key(&name) {
                    state.send_replace(LockState::Failed(LockFailure::Duplicate));
                    return Ok(());
                }
                if steal {
                    session.steal(&name)?;
                } else {
                    session.lock(&name)?;
                }
                self.locks.insert(name, state);
            }
            Command::ForgetCluster => session.forget_cluster(),
            Command::Reconnect => return Err(ConnectionLost::GivenUp),
        }
        Ok(())
    }

    fn send(&mut self, waiting: Waiting, session: &mut Session) -> Result<(), SessionError> {
        let id = session.transact(&waiting.transaction)?;
        self.transactions.insert(id, Sent::One(waiting.answer));
        Ok(())
    }

    fn send_group(&mut self, session: &mut Session) -> Result<(), SessionError> {
        let mut members = self.gathering.take();
        if members.len() == 1 {
            return members.pop().map_or(Ok(()), |waiting| self.send(waiting, session));
        }
        let group = Group::of(members.iter().map(|waiting| &waiting.transaction));
        let id = session.transact(group.merged())?;
        self.transactions.insert(id, Sent::Grouped(group, members));
        Ok(())
    }

    /// All events of one turn publish one replica, but readers of changes get each update. Answers go out after it,
    /// so that who awaits a transaction sees its effect.
    fn handle_events(&mut self, session: &mut Session) -> Result<(), ConnectionLost> {
        let mut updated = false;
        let mut answered = Vec::new();
        while let Some(event) = session.poll_event() {
            match event {
                Event::Updated { updates, transaction } => {
                    self.replica.apply(updates)?;
                    self.replica.set_transaction(transaction);
                    updated = true;
                    self.tell_update();
                }
                // The database was converted.
                Event::Monitored { monitor, updates, resumed, transaction } => {
                    self.replica = self.replica.begin_again(monitor, updates, resumed)?;
                    self.replica.set_transaction(transaction);
                    updated = true;
                    self.tell_update();
                }
                event => answered.push(event),
            }
        }
        if updated {
            self.publish();
        }
        for event in answered {
            for again in self.answer(event) {
                self.send(again, session)?;
            }
        }
        Ok(())
    }

    /// Who asked may have stopped waiting; that is no error. What comes back is to be sent again.
    fn answer(&mut self, event: Event) -> Vec<Waiting> {
        match event {
            Event::Transacted { id, outcome } => {
                return self.transactions.remove(&id).map_or_else(Vec::new, |sent| sent.answer(outcome));
            }
            Event::Answered { id, outcome } => {
                if let Some(answer) = self.calls.remove(&id) {
                    let _ = answer.send(outcome.map_err(CallError::Refused));
                }
            }
            Event::Lock { name, owned } => {
                if let Some(state) = self.locks.get(&name) {
                    tell(state, if owned { LockState::Held } else { LockState::Waiting });
                }
            }
            Event::LockRefused { name, error } => {
                if let Some(state) = self.locks.remove(&name) {
                    state.send_replace(LockState::Failed(LockFailure::Refused(error)));
                }
            }
            Event::Member(database) => self.connector.member_changed(database),
            Event::ConditionAcknowledged { table, condition } => {
                self.conditions.acknowledged(&table, &condition);
                self.connector.condition_changed(table, condition);
            }
            Event::ConditionRefused { table, condition, error } => {
                self.conditions.refused(&table, &condition, &error);
            }
            Event::Monitored { .. } | Event::Updated { .. } => {}
        }
        Vec::new()
    }

    fn tell_update(&self) {
        if self.updates.receiver_count() > 0 {
            let _ = self.updates.send(Arc::new(self.replica.clone()));
        }
    }

    fn publish(&self) {
        self.published.send_replace(Arc::new(self.replica.clone()));
    }

    fn release_dropped(&mut self, session: &mut Session) -> Result<(), SessionError> {
        let dropped: Vec<String> = self.dropped_locks();
        dropped.iter().try_for_each(|name| session.unlock(name))
    }

    fn dropped_locks(&mut self) -> Vec<String> {
        let dropped: Vec<String> =
            self.locks.iter().filter(|(_, state)| state.is_closed()).map(|(name, _)| name.clone()).collect();
        for name in &dropped {
            self.locks.remove(name);
        }
        dropped
    }

    /// The state first: who then hears that there is no connection can wait for one. Locks before transactions: who hears
    /// that one failed knows whether it was still for them to make.
    fn disconnected(&mut self, lost: &ConnectionLost) {
        let reason = lost.to_string();
        tracing::warn!(remotes = %self.connector.remotes(), reason, "connection to the database lost");
        self.state.send_replace(ConnectionState::Disconnected { reason: reason.clone() });
        for state in self.locks.values() {
            tell(state, LockState::Requested);
        }
        for (_, sent) in self.transactions.drain() {
            let _ = sent.answer(Err(TransactError::Disconnected { reason: reason.clone() }));
        }
        for waiting in self.gathering.take() {
            let _ = waiting.answer.send(Err(TransactError::NotConnected { reason: reason.clone() }));
        }
        for (_, answer) in self.calls.drain() {
            let _ = answer.send(Err(CallError::Disconnected));
        }
        if !self.conditions.is_empty() {
            // The server may have changed them or not, and the rows between may have reached us or not.
            self.replica.forget_transaction();
        }
    }

    /// Tries until there is a connection and its replica; `None` when no handle is left.
    async fn reconnect(&mut self) -> Option<Connection> {
        loop {
            match self.attempt().await? {
                Ok((mut connection, replica)) => {
                    self.replica = replica;
                    let _ = self.dropped_locks();
                    let session = connection.session();
                    let requested = self.locks.keys().try_for_each(|name| session.lock(name));
                    let requested =
                        requested.and_then(|()| session.set_conditions(self.conditions.wishes().clone()));
                    if requested.is_err() {
                        self.connector.lost(connection, false);
                        continue;
                    }
                    self.publish();
                    self.tell_update();
                    self.state.send_replace(ConnectionState::Connected);
                    tracing::info!(remotes = %self.connector.remotes(), "connected to the database again");
                    return Some(connection);
                }
                Err(error) => {
                    let reason = error.to_string();
                    tracing::debug!(reason, "cannot reconnect to the database");
                    self.state.send_replace(ConnectionState::Disconnected { reason });
                }
            }
        }
    }

    /// One attempt to connect. Meanwhile requests are answered that there is no connection. `None`: no handle is
    /// left.
    async fn attempt(&mut self) -> Option<Result<(Connection, Replica), ConnectError>> {
        let mut forget = false;
        let monitor = self.connector.monitor().clone();
        let outcome = {
            let mut attempt = std::pin::pin!(self.connector.attempt(&self.replica));
            loop {
                tokio::select! {
                    outcome = &mut attempt => break outcome,
                    command = self.commands.recv() => match command? {
                        Command::ForgetCluster => forget = true,
                        Command::SetConditions { conditions, answer } => {
                            self.conditions.add(conditions, answer, &monitor);
                        }
                        command => refuse(command, &self.state),
                    },
                }
            }
        };
        if forget {
            self.connector.forget_cluster();
        }
        Some(outcome)
    }
}

/// A lock's state is told when it is another one: the server may repeat itself.
fn tell(lock: &watch::Sender<LockState>, state: LockState) {
    lock.send_if_modified(|known| {
        let is_other = *known != state;
        *known = state;
        is_other
    });
}

fn refuse(command: Command, state: &watch::Sender<ConnectionState>) {
    let reason = match &*state.borrow() {
        ConnectionState::Disconnected { reason } => reason.clone(),
        ConnectionState::Connected => String::new(),
    };
    match command {
        Command::Transact { answer, .. } => {
            let _ = answer.send(Err(TransactError::NotConnected { reason }));
        }
        Command::Call { answer, .. } => {
            let _ = answer.send(Err(CallError::Disconnected));
        }
        Command::Lock { state, .. } => {
            state.send_replace(LockState::Failed(LockFailure::Disconnected));
        }
        Command::SetConditions { .. } | Command::ForgetCluster | Command::Reconnect => {}
    }
}

/// Never, where there is no deadline.
async fn due(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
