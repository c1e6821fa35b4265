use tokio::sync::oneshot;
use tokio::time::Instant;

use super::GROUP_WINDOW;
use crate::notation::{Committed, Group, TransactError, Transaction};

/// Operations in one group at most: beyond a thousand the server gains little more, and while it is at one group the
/// next is made and the one before answered.
const MAX_OPERATIONS: usize = 1500;

pub(super) type Outcome = Result<Committed, TransactError>;

/// A transaction and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) transaction: Transaction,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// Transactions that wait for others to be sent with.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    waiting: Vec<Waiting>,
    operations: usize,
    deadline: Option<Instant>,
}

impl Gathering {
    /// Adds one. Whether the group is full.
    pub(super) fn add(&mut self, waiting: Waiting) -> bool {
        self.operations += waiting.transaction.operations().len();
        self.waiting.push(waiting);
        self.deadline.get_or_insert_with(|| Instant::now() + GROUP_WINDOW);
        self.operations >= MAX_OPERATIONS
    }

    /// When the group is to be sent; `None` while there is none.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// All that wait; the next group begins.
    pub(super) fn take(&mut self) -> Vec<Waiting> {
        std::mem::take(self).waiting
    }
}

/// Who waits for a transaction that was sent.
#[derive(Debug)]
pub(super) enum Sent {
    /// One caller.
    One(oneshot::Sender<Outcome>),
    /// Several callers.
    Grouped(Group, Vec<Waiting>),
}

impl Sent {
    /// Answers. What comes back is to be sent again, each by itself.
    #[must_use]
    pub(super) fn answer(self, outcome: Outcome) -> Vec<Waiting> {
        // Who asked may have stopped waiting; that is no error.
        match (self, outcome) {
            (Self::One(answer), outcome) => {
                let _ = answer.send(outcome);
            }
            (Self::Grouped(group, members), Ok(committed)) => {
                for (index, member) in members.into_iter().enumerate() {
                    let _ = member.answer.send(Ok(group.split(&committed, index)));
                }
            }
            (Self::Grouped(_, members), Err(error)) if error.is_outcome_unknown() => {
                for member in members {
                    let _ = member.answer.send(Err(error.clone()));
                }
            }
            (Self::Grouped(_, members), Err(_)) => return members,
        }
        Vec::new()
    }
}
