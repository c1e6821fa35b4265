use uuid::Uuid;

use super::{Operation, Where};
use crate::table::{AnyColumn, Assignment, Change, Ref, Table};

/// Operations that the server carries out all or not at all. May be cloned and sent again: with the
/// row UUIDs chosen here a second time fails with [`TransactError::DuplicateUuid`](super::TransactError).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    operations: Vec<Operation>,
}

impl Transaction {
    /// No operations yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The operations so far, in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    #[cfg(feature = "tokio")]
    pub(super) fn operations_mut(&mut self) -> &mut [Operation] {
        &mut self.operations
    }

    /// A row that the transaction inserts under a UUID chosen by us: as long as it is there, the server refuses the
    /// transaction when it is sent again ([`TransactError::DuplicateUuid`](super::TransactError)). `None`: there is
    /// none, and sent twice the transaction may be carried out twice.
    pub fn chosen_row(&self) -> Option<(&str, Uuid)> {
        self.operations.iter().find_map(|operation| match operation {
            Operation::Insert { table, uuid: Some(uuid), .. } => Some((&**table, *uuid)),
            _ => None,
        })
    }

    /// Appends an operation and gives its index, by which the results name it.
    pub fn push(&mut self, operation: Operation) -> usize {
        self.operations.push(operation);
        self.operations.len() - 1
    }

    /// Appends an operation.
    pub fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Inserts a row under a fresh random UUID.
    pub fn insert<T: Table>(&mut self, row: &T) -> Ref<T> {
        let uuid = Uuid::new_v4();
        self.push(Operation::insert(uuid, row));
        Ref::from(uuid)
    }

    /// Reads whole rows; see [`Committed::rows`](super::Committed::rows).
    pub fn select<T: Table>(&mut self, filter: impl Into<Where<T>>) -> usize {
        self.push(Operation::select(filter))
    }

    /// Overwrites columns.
    pub fn update<T: Table>(
        &mut self,
        filter: impl Into<Where<T>>,
        columns: impl IntoIterator<Item = Assignment<T>>,
    ) -> usize {
        self.push(Operation::update(filter, columns))
    }

    /// Changes columns relative to what they hold.
    pub fn mutate<T: Table>(
        &mut self,
        filter: impl Into<Where<T>>,
        changes: impl IntoIterator<Item = Change<T>>,
    ) -> usize {
        self.push(Operation::mutate(filter, changes))
    }

    /// Removes rows.
    pub fn delete<T: Table>(&mut self, filter: impl Into<Where<T>>) -> usize {
        self.push(Operation::delete(filter))
    }

    /// Fails with a conflict unless exactly one row meets `filter` and holds these values.
    pub fn verify<T: Table>(
        &mut self,
        filter: impl Into<Where<T>>,
        columns: impl IntoIterator<Item = Assignment<T>>,
    ) -> usize {
        self.push(Operation::verify(filter, columns))
    }

    /// Fails with a conflict when a row meets `filter`.
    pub fn verify_none<T: Table>(&mut self, filter: impl Into<Where<T>>, column: AnyColumn<T>) -> usize {
        self.push(Operation::verify_none(filter, column))
    }

    /// Text for the database's log; `ovsdb-tool show-log` prints it.
    pub fn comment(&mut self, text: impl Into<String>) -> usize {
        self.push(Operation::Comment(text.into()))
    }

    /// Fails with [`TransactError::NotOwner`](super::TransactError) unless this connection owns the lock.
    pub fn assert_lock(&mut self, name: impl Into<String>) -> usize {
        self.push(Operation::Assert { lock: name.into() })
    }
}
