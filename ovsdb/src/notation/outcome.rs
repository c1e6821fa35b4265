use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;
use uuid::Uuid;

use super::{Atom, RowValues, Transaction, Value};
use crate::table::Table;

/// What one operation of a committed transaction gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `insert`: the new row.
    Inserted(Uuid),
    /// `update`, `mutate`, `delete`: how many rows were matched.
    Count(u64),
    /// `select`: the rows.
    Rows(Vec<RowValues>),
    /// Any other operation.
    Done,
}

/// A transaction that the server carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    replies: Vec<Reply>,
}

impl Committed {
    #[cfg(feature = "tokio")]
    pub(super) fn from_replies(replies: Vec<Reply>) -> Self {
        Self { replies }
    }

    /// One reply an operation, in order.
    pub fn replies(&self) -> &[Reply] {
        &self.replies
    }

    /// How many rows `update`, `mutate` or `delete` at this index matched; `None` for another operation.
    pub fn count(&self, operation: usize) -> Option<u64> {
        match self.replies.get(operation) {
            Some(Reply::Count(count)) => Some(*count),
            _ => None,
        }
    }

    /// The row that `insert` at this index made.
    pub fn inserted(&self, operation: usize) -> Option<Uuid> {
        match self.replies.get(operation) {
            Some(Reply::Inserted(uuid)) => Some(*uuid),
            _ => None,
        }
    }

    /// How many rows `select` at this index found; 0 for another operation.
    pub fn found(&self, operation: usize) -> usize {
        match self.replies.get(operation) {
            Some(Reply::Rows(rows)) => rows.len(),
            _ => 0,
        }
    }

    /// The rows that `select` at this index found, typed. Rows without `_uuid` get the nil UUID.
    pub fn rows<T: Table>(&self, operation: usize) -> Vec<(Uuid, T)> {
        match self.replies.get(operation) {
            Some(Reply::Rows(rows)) => {
                rows.iter().map(|row| (row.uuid().unwrap_or_default(), row.decode())).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// An error in the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// The error string of RFC 7047, such as `constraint violation`.
    pub error: String,
    /// What exactly is wrong, for people.
    pub details: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.error.is_empty(), self.details.is_empty()) {
            (false, true) => formatter.write_str(&self.error),
            (true, _) => formatter.write_str(&self.details),
            (false, false) => write!(formatter, "{}: {}", self.error, self.details),
        }
    }
}

impl std::error::Error for ServerError {}

impl ServerError {
    /// Reads the error member of a response: an object, or in older servers a plain string.
    pub fn parse(error: &RawValue) -> Self {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Object {
                error: String,
                #[serde(default)]
                details: String,
            },
            Text(String),
        }
        match serde_json::from_str(error.get()) {
            Ok(Wire::Object { error, details }) => Self { error, details },
            Ok(Wire::Text(error)) => Self { error, details: String::new() },
            Err(_) => Self { error: error.get().to_owned(), details: String::new() },
        }
    }
}

/// Which operation of a transaction failed. `None`: a constraint checked when all had been carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationFailed {
    /// Index into the transaction's operations.
    pub operation: Option<usize>,
    /// The server's words.
    pub error: ServerError,
}

impl fmt::Display for OperationFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(index) => write!(formatter, "operation {index}: {}", self.error),
            None => self.error.fmt(formatter),
        }
    }
}

/// Why a transaction was not committed, or why we do not know.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransactError {
    /// It would break an index, a reference, or a column's limits.
    #[error("{failed}")]
    Constraint {
        /// The operation and the server's words.
        failed: OperationFailed,
        /// For a unique index: its table.
        table: Option<String>,
        /// For a unique index: its columns.
        columns: Vec<String>,
    },
    /// A row with the UUID chosen for an insert exists: a retry of what had been committed.
    #[error("{0}")]
    DuplicateUuid(OperationFailed),
    /// What a `verify` expected is no longer so. Look again and retry.
    #[error("the database changed meanwhile ({0})")]
    Conflict(OperationFailed),
    /// The lock that an assertion names is not ours.
    #[error("the database lock is not ours ({0})")]
    NotOwner(OperationFailed),
    /// The server refused for another reason.
    #[error("refused by the database server: {0}")]
    Refused(OperationFailed),
    /// The connection ended before the answer came: committed or not, nobody knows. With row UUIDs chosen
    /// by us a retry is safe.
    #[error("connection to the database lost before it answered, outcome unknown: {reason}")]
    Disconnected {
        /// Why the connection ended.
        reason: String,
    },
    /// The server gave the transaction up because the database's schema changes, or because we asked it to. In a
    /// cluster it may be committed nevertheless.
    #[error("canceled by the database server, outcome unknown: {0}")]
    Canceled(OperationFailed),
    /// No answer came in the time that the caller gave; committed or not, nobody knows.
    #[error("no answer from the database server in time, outcome unknown")]
    Unanswered,
    /// There is no connection; nothing was sent.
    #[error("not connected to the database: {reason}")]
    NotConnected {
        /// Why there is none.
        reason: String,
    },
    /// The server's answer is not what RFC 7047 says.
    #[error("malformed answer from the database server: {0}")]
    Malformed(String),
}

impl TransactError {
    /// Whether the transaction may be committed all the same.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Disconnected { .. } | Self::Canceled(_) | Self::Unanswered | Self::Malformed(_))
    }
}

#[derive(Deserialize)]
struct WireReply {
    uuid: Option<Value>,
    count: Option<u64>,
    rows: Option<Vec<RowValues>>,
    error: Option<String>,
    #[serde(default)]
    details: String,
}

/// Reads the result of `transact`: one element an operation, the failed one an error and those after it
/// null, and one element more for an error found at the end.
pub(crate) fn parse_results(
    result: Option<&RawValue>,
    operations: usize,
) -> Result<Committed, TransactError> {
    let text = result.map_or("null", RawValue::get);
    let elements: Vec<Option<WireReply>> =
        serde_json::from_str(text).map_err(|error| TransactError::Malformed(error.to_string()))?;
    let mut replies = Vec::with_capacity(operations);
    for (index, element) in elements.into_iter().enumerate() {
        let Some(reply) = element else { continue };
        if let Some(error) = reply.error {
            let operation = (index < operations).then_some(index);
            let error = ServerError { error, details: reply.details };
            return Err(TransactError::from(OperationFailed { operation, error }));
        }
        replies.push(reply.into());
    }
    if replies.len() < operations {
        let text = format!("{} results for {operations} operations", replies.len());
        return Err(TransactError::Malformed(text));
    }
    Ok(Committed { replies })
}

impl From<WireReply> for Reply {
    fn from(reply: WireReply) -> Self {
        match reply {
            WireReply { uuid: Some(Value::Atom(Atom::Uuid(uuid))), .. } => Self::Inserted(uuid),
            WireReply { count: Some(count), .. } => Self::Count(count),
            WireReply { rows: Some(rows), .. } => Self::Rows(rows),
            _ => Self::Done,
        }
    }
}

impl From<OperationFailed> for TransactError {
    fn from(failed: OperationFailed) -> Self {
        match failed.error.error.as_str() {
            "constraint violation" | "referential integrity violation" | "range error" => {
                let (table, columns) = violated_index(&failed.error.details);
                Self::Constraint { failed, table, columns }
            }
            "duplicate uuid" => Self::DuplicateUuid(failed),
            "timed out" => Self::Conflict(failed),
            "not owner" => Self::NotOwner(failed),
            "canceled" => Self::Canceled(failed),
            _ => Self::Refused(failed),
        }
    }
}

/// Table and columns out of "Transaction causes multiple rows in \"T\" table to have identical values (..)
/// for index on columns \"a\" and \"b\".": the server gives them only in words.
fn violated_index(details: &str) -> (Option<String>, Vec<String>) {
    let Some((head, tail)) = details.split_once(" for index on column") else { return (None, Vec::new()) };
    let table = head.split("multiple rows in ").nth(1).and_then(|rest| rest.split(" table").next());
    let sentence = tail.split(".  ").next().unwrap_or(tail);
    let columns = sentence.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    (table.map(|name| name.trim_matches('"').to_owned()), columns)
}

impl Transaction {
    /// Reads the server's result of this transaction.
    pub fn parse_result(&self, result: Option<&RawValue>) -> Result<Committed, TransactError> {
        parse_results(result, self.operations().len())
    }
}
