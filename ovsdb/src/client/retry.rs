use std::time::Instant;

use tokio::time::timeout_at;

use super::{Client, ConnectionState};
use crate::notation::{TransactError, Transaction};
use crate::session::{Retry, Settled, Step};

impl Client {
    /// Sends a transaction until its outcome is known, over reconnects and on other members of the cluster, up to
    /// `deadline`. Needs an insert under a UUID chosen by us, as [`Transaction::insert`] makes it, of a row that is not
    /// deleted meanwhile; see [`Retry`]. Without one, only what was never sent is sent again.
    ///
    /// # Errors
    ///
    /// What the server refuses, as with [`transact`](Self::transact). At the deadline, and without such an insert:
    /// an error whose [outcome is unknown](TransactError::is_outcome_unknown), or
    /// [`NotConnected`](TransactError::NotConnected) when nothing was ever sent.
    pub async fn transact_until(
        &self,
        transaction: Transaction,
        deadline: Instant,
    ) -> Result<Settled, TransactError> {
        self.retry(transaction, false, deadline).await
    }

    /// Both [`transact_until`](Self::transact_until) and [`transact_grouped`](Self::transact_grouped).
    pub async fn transact_grouped_until(
        &self,
        transaction: Transaction,
        deadline: Instant,
    ) -> Result<Settled, TransactError> {
        self.retry(transaction, true, deadline).await
    }

    async fn retry(
        &self,
        transaction: Transaction,
        grouped: bool,
        deadline: Instant,
    ) -> Result<Settled, TransactError> {
        let mut retry = Retry::new(transaction);
        let mut step = Step::Send;
        let mut state = self.state();
        loop {
            let connected = state.wait_for(|state| *state == ConnectionState::Connected);
            match timeout_at(deadline.into(), connected).await {
                Ok(Ok(_)) if !self.commands.is_closed() => {}
                outcome => {
                    let reason = match (outcome, &*self.state.borrow()) {
                        (Err(_), ConnectionState::Disconnected { reason }) => reason.clone(),
                        _ => "the client was closed".to_owned(),
                    };
                    return Err(retry.given_up(TransactError::NotConnected { reason }));
                }
            }
            let (transaction, grouped) = match step {
                Step::Send => (retry.transaction().clone(), grouped),
                Step::Ask => (retry.question(), false),
                Step::Done(outcome) => return outcome,
            };
            step = match timeout_at(deadline.into(), self.transact_as(transaction, grouped)).await {
                Ok(outcome) => retry.answered(outcome),
                Err(_) => return Err(retry.given_up(TransactError::Unanswered)),
            };
        }
    }
}
