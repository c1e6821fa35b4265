use tokio::sync::oneshot;

use super::ConditionError;
use crate::monitor::{Conditions, Monitor, MonitorCondition};
use crate::notation::ServerError;

type Answer = oneshot::Sender<Result<(), ConditionError>>;

/// Conditions that were asked for and are not in force yet, over all connections, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct ConditionWishes {
    /// The newest of each table.
    wishes: Conditions,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Not in force yet.
    tables: Vec<String>,
    answer: Answer,
}

impl ConditionWishes {
    /// Keeps a wish. Whether it is to be sent; else it was answered.
    pub(super) fn add(&mut self, conditions: Conditions, answer: Answer, monitor: &Monitor) -> bool {
        let tables: Vec<String> = conditions.tables().map(|(table, _)| table.to_owned()).collect();
        let unknown = tables.iter().find(|table| monitor.table_index(table).is_none());
        let answered = match unknown {
            Some(table) => Err(ConditionError::NotMonitored(table.clone())),
            None if tables.is_empty() => Ok(()),
            None => {
                self.wishes.merge(conditions);
                self.waiting.push(Waiting { tables, answer });
                return true;
            }
        };
        // Who asked may have stopped waiting; that is no error, here and below.
        let _ = answer.send(answered);
        false
    }

    /// What is to be asked of a new connection.
    pub(super) fn wishes(&self) -> &Conditions {
        &self.wishes
    }

    /// Whether all that was asked for is in force.
    pub(super) fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// A condition is in force. One that a newer wish has overtaken answers nobody.
    pub(super) fn acknowledged(&mut self, table: &str, condition: &MonitorCondition) {
        if self.forget(table, condition) {
            self.waiting.iter_mut().for_each(|waiting| waiting.tables.retain(|name| name != table));
            self.answer(&Ok(()), |waiting| waiting.tables.is_empty());
        }
    }

    /// A condition will not come into force.
    pub(super) fn refused(&mut self, table: &str, condition: &MonitorCondition, error: &ServerError) {
        if self.forget(table, condition) {
            let error = ConditionError::Refused { table: table.to_owned(), error: error.clone() };
            self.answer(&Err(error), |waiting| waiting.tables.iter().any(|name| name == table));
        }
    }

    fn answer(&mut self, outcome: &Result<(), ConditionError>, whom: impl Fn(&Waiting) -> bool) {
        let (answered, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(whom);
        self.waiting = waiting;
        let answered: Vec<Waiting> = answered;
        for Waiting { answer, .. } in answered {
            let _ = answer.send(outcome.clone());
        }
    }

    /// Whether this is the newest wish for the table.
    fn forget(&mut self, table: &str, condition: &MonitorCondition) -> bool {
        let newest = self.wishes.table(table) == Some(condition);
        if newest {
            self.wishes.remove(table);
        }
        newest
    }
}
