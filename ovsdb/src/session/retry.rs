//! A transaction sent until its outcome is known. Outcomes in, the next step out; no clock and no socket.

use crate::notation::{Atom, Committed, Condition, Function, Operation, TransactError, Transaction};

/// How a transaction that was retried came to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The last attempt was answered.
    Committed(Committed),
    /// An attempt that was not answered had been committed. What its operations gave is not known.
    Already,
}

/// What is to be done after an attempt.
#[derive(Debug)]
pub enum Step {
    /// Send the transaction when there is a connection.
    Send,
    /// Send [`Retry::question`], which changes nothing.
    Ask,
    /// Nothing more.
    Done(Result<Settled, TransactError>),
}

/// One transaction over its attempts, on any member of the cluster.
///
/// Sending it again is safe because of the row UUIDs that we chose. A second time the server refuses the whole with
/// `duplicate uuid`, as long as the first of these rows is there: so it is to be a row that is not deleted meanwhile,
/// of a root table or referred to by what the transaction writes. A member of a cluster repeats a transaction by itself
/// when the leader is lost, so that even the first attempt may be refused in this way.
///
/// Where an attempt had no answer and the next is refused for another reason, such as a `wait` for what the
/// transaction itself changed, the row is looked for: when it is there, the transaction was committed.
#[derive(Debug)]
pub struct Retry {
    transaction: Transaction,
    /// The error of an attempt that may have been committed.
    unknown: Option<TransactError>,
    /// The refusal that is to be told unless the row is there.
    refused: Option<TransactError>,
}

impl Retry {
    /// Before the first attempt.
    pub fn new(transaction: Transaction) -> Self {
        Self { transaction, unknown: None, refused: None }
    }

    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Whether the row that tells that the transaction was committed is there.
    pub fn question(&self) -> Transaction {
        let Some((table, uuid)) = self.transaction.chosen_row() else { return Transaction::new() };
        let condition =
            Condition { column: "_uuid".into(), function: Function::Eq, value: Atom::Uuid(uuid).into() };
        let columns = Some(vec!["_uuid".into()]);
        let table = table.to_owned().into();
        Transaction::new().with(Operation::Select { table, conditions: vec![condition], columns })
    }

    /// Takes the outcome of what was to be sent, the transaction or the question.
    pub fn answered(&mut self, outcome: Result<Committed, TransactError>) -> Step {
        match outcome {
            // Nothing was sent.
            Err(TransactError::NotConnected { .. }) => self.again(),
            Err(error) if error.is_outcome_unknown() => {
                if self.refused.is_some() {
                    return Step::Ask;
                }
                if self.transaction.chosen_row().is_none() {
                    return Step::Done(Err(error));
                }
                self.unknown = Some(error);
                Step::Send
            }
            outcome => match self.refused.take() {
                Some(refused) => Step::Done(match outcome {
                    Ok(found) if found.found(0) > 0 => Ok(Settled::Already),
                    _ => Err(refused),
                }),
                None => self.transaction_answered(outcome),
            },
        }
    }

    /// No more attempts: what is known.
    pub fn given_up(self, last: TransactError) -> TransactError {
        self.unknown.unwrap_or(last)
    }

    fn transaction_answered(&mut self, outcome: Result<Committed, TransactError>) -> Step {
        match outcome {
            Ok(committed) => Step::Done(Ok(Settled::Committed(committed))),
            Err(TransactError::DuplicateUuid(_)) => Step::Done(Ok(Settled::Already)),
            Err(error) if self.unknown.is_some() => {
                self.refused = Some(error);
                Step::Ask
            }
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn again(&self) -> Step {
        if self.refused.is_some() { Step::Ask } else { Step::Send }
    }
}

#[cfg(test)]
mod tests;
