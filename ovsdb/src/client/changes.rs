use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::replica::{Replica, RowChange};
use crate::table::Table;

/// The changes of the database one after the other, made by [`Client::changes`](super::Client::changes).
#[derive(Debug)]
pub struct Changes {
    last: Arc<Replica>,
    updates: broadcast::Receiver<Arc<Replica>>,
}

/// What one transaction changed: the replica before it and after it.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Before.
    pub before: Arc<Replica>,
    /// After.
    pub after: Arc<Replica>,
    /// Whether it is several transactions: those during a reconnect, or because the receiver fell behind.
    pub merged: bool,
}

impl ChangeSet {
    /// The rows of table `T` that were inserted, modified or deleted.
    pub fn rows<T: Table>(&self) -> impl Iterator<Item = RowChange<'_, T>> {
        self.after.changes(&self.before)
    }
}

impl Changes {
    pub(super) fn new(last: Arc<Replica>, updates: broadcast::Receiver<Arc<Replica>>) -> Self {
        Self { last, updates }
    }

    /// The replica that the next change set begins with.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.last
    }

    /// Waits for the next change. `None`: the client was closed. Nothing is ever left out: who falls behind
    /// gets the changes that it missed as one. May be dropped and called again.
    pub async fn next(&mut self) -> Option<ChangeSet> {
        let mut missed = false;
        loop {
            match self.updates.recv().await {
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => missed = true,
                // From before this was made.
                Ok(replica) if replica.serial() <= self.last.serial() => {}
                Ok(after) => {
                    let merged = missed || after.serial() > self.last.serial() + 1 || after.began_again();
                    let before = std::mem::replace(&mut self.last, after.clone());
                    if after.differs_from(&before) {
                        return Some(ChangeSet { before, after, merged });
                    }
                    missed = false;
                }
            }
        }
    }
}
