use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::LockError;
use crate::notation::ServerError;

/// A lock of the database. It can be lost: stolen, or with the connection; then we queue for it again. What
/// must not happen without it belongs in a transaction with
/// [`assert_lock`](crate::Transaction::assert_lock). Dropping it gives it back.
#[derive(Debug)]
pub struct Lock {
    name: String,
    /// `Option` so that it is gone before the task is woken.
    state: Option<watch::Receiver<LockState>>,
    wakeup: Arc<Notify>,
}

/// What the task knows of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LockState {
    /// The server has not answered yet. Also while there is no connection.
    Requested,
    /// Another client has it; we are queued.
    Waiting,
    /// Ours.
    Held,
    /// Never ours.
    Failed(LockFailure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LockFailure {
    Duplicate,
    Disconnected,
    Refused(ServerError),
}

impl Lock {
    pub(super) fn new(name: String, wakeup: Arc<Notify>) -> (watch::Sender<LockState>, Self) {
        let (sender, state) = watch::channel(LockState::Requested);
        (sender, Self { name, state: Some(state), wakeup })
    }

    /// Name of the lock.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is ours now.
    pub fn is_held(&self) -> bool {
        self.state.as_ref().is_some_and(|state| *state.borrow() == LockState::Held)
    }

    /// Whether the server says that another client has it. Not so while there is no connection.
    pub fn is_contended(&self) -> bool {
        self.state.as_ref().is_some_and(|state| *state.borrow() == LockState::Waiting)
    }

    /// Resolves when it was won, lost, or lost and won again since this was last called; never when the client was
    /// closed.
    pub async fn changed(&mut self) {
        if let Some(receiver) = &mut self.state {
            if receiver.changed().await.is_ok() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Resolves when it is ours.
    pub async fn held(&mut self) -> Result<(), LockError> {
        self.wait_for(|state| matches!(state, LockState::Held | LockState::Failed(_))).await
    }

    /// Resolves when it is not ours (any more).
    pub async fn lost(&mut self) {
        // An error is a loss too.
        let _ = self.wait_for(|state| *state != LockState::Held).await;
    }

    pub(super) async fn answered(&mut self) -> Result<(), LockError> {
        self.wait_for(|state| *state != LockState::Requested).await
    }

    async fn wait_for(&mut self, predicate: impl FnMut(&LockState) -> bool) -> Result<(), LockError> {
        let Some(receiver) = &mut self.state else { return Err(LockError::Closed) };
        let state = receiver.wait_for(predicate).await.map_err(|_| LockError::Closed)?;
        match &*state {
            LockState::Failed(LockFailure::Duplicate) => Err(LockError::Duplicate(self.name.clone())),
            LockState::Failed(LockFailure::Disconnected) => Err(LockError::Disconnected),
            LockState::Failed(LockFailure::Refused(error)) => Err(LockError::Refused(error.clone())),
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.state = None;
        self.wakeup.notify_one();
    }
}
