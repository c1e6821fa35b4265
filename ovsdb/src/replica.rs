//! Our copy of a database. A [`Replica`] never changes; each update makes a new one that shares with
//! the old all rows that stayed the same.

mod changes;
mod indexing;
mod large;
mod lookup;
mod packed;
mod row;
mod shared_map;
mod table_rows;

use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use crate::monitor::{Monitor, Updates};
use crate::table::{Ref, Table};

use indexing::Indexing;
use table_rows::{TableRows, Unfit};

pub use changes::RowChange;
pub use lookup::Found;
pub use row::Row;

/// The monitored tables at one moment between two transactions.
#[derive(Clone, Debug)]
pub struct Replica {
    monitor: Arc<Monitor>,
    /// One for each table of the monitor, as the next.
    tables: Vec<TableRows>,
    indexings: Arc<[Box<[Indexing]>]>,
    serial: u64,
    transaction: Option<Uuid>,
    /// Made by the dump of a connection and not by an update.
    began_again: bool,
}

/// An update that does not fit our copy: it missed something and must be made anew.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReplicaError {
    /// A change of a row that we do not have.
    #[error("update of row {uuid} of table {table}, which is not in our copy")]
    UnknownRow {
        /// The table.
        table: String,
        /// The row.
        uuid: Uuid,
    },
    /// A new row that we have already.
    #[error("row {uuid} of table {table} is new to the server, but in our copy already")]
    KnownRow {
        /// The table.
        table: String,
        /// The row.
        uuid: Uuid,
    },
}

impl Replica {
    /// An empty copy.
    pub fn new(monitor: Arc<Monitor>) -> Self {
        let indexings: Arc<[Box<[Indexing]>]> = monitor
            .tables()
            .iter()
            .map(|table| {
                let specs = monitor.indexes().iter().filter(|spec| spec.table == table.name);
                specs.map(|spec| Indexing::new(spec.clone(), table)).collect()
            })
            .collect();
        let tables = indexings.iter().map(|indexings| TableRows::new(indexings.len())).collect();
        Self { monitor, tables, indexings, serial: 0, transaction: None, began_again: false }
    }

    /// The rows of table `T` in the order of their UUIDs. Empty for a table that is not monitored.
    pub fn rows<T: Table>(&self) -> impl Iterator<Item = (Uuid, &T)> + '_ {
        let index = self.monitor.table_index(T::NAME);
        index.into_iter().flat_map(move |index| {
            let spec = &self.monitor.tables()[index];
            self.tables[index].rows.iter().map(move |(uuid, row)| (*uuid, row.typed::<T>(spec)))
        })
    }

    /// One row of table `T`.
    pub fn row<T: Table>(&self, uuid: impl Into<Uuid>) -> Option<&T> {
        let index = self.monitor.table_index(T::NAME)?;
        let row = self.tables[index].rows.get(&uuid.into())?;
        Some(row.typed(&self.monitor.tables()[index]))
    }

    /// The row that a reference names; `None` when it is gone or its table not monitored. A strong reference always
    /// names a row (RFC 7047 section 3.2), unless the table is monitored in part; the server takes a weak one out
    /// of its column in the transaction that deletes the row. So `None` is for references kept from another replica.
    pub fn get<T: Table>(&self, reference: Ref<T>) -> Option<&T> {
        self.row(reference)
    }

    /// The rows that references name, those that are gone left out. The other way, from a row to those that refer
    /// to it, is [`by`](Self::by) an index of [elements](crate::Column::elements).
    pub fn resolve<'a, T: Table>(
        &'a self,
        references: impl IntoIterator<Item = &'a Ref<T>>,
    ) -> impl Iterator<Item = (Uuid, &'a T)> {
        references.into_iter().filter_map(|reference| Some((reference.uuid(), self.row(*reference)?)))
    }

    /// The first row for which `predicate` holds. Looks at all rows and makes structs of them, which stay:
    /// [`by`](Self::by) does not.
    pub fn find<T: Table>(&self, mut predicate: impl FnMut(&T) -> bool) -> Option<(Uuid, &T)> {
        self.rows::<T>().find(|(_, row)| predicate(row))
    }

    /// How many rows of table `T` there are.
    pub fn count<T: Table>(&self) -> usize {
        self.monitor.table_index(T::NAME).map_or(0, |index| self.tables[index].rows.len())
    }

    /// The untyped rows of a table, for tables known only at run time. A row's columns are indexes into
    /// the table's [`columns`](crate::monitor::MonitoredTable::columns).
    pub fn untyped_rows(&self, table: &str) -> impl Iterator<Item = (Uuid, &Row)> + '_ {
        let index = self.monitor.table_index(table);
        index.into_iter().flat_map(|index| self.tables[index].rows.iter().map(|(uuid, row)| (*uuid, row)))
    }

    /// What is monitored: as asked for, less what the server does not have.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Counts the updates, over reconnects too: a greater one is newer.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The transaction that this copy reflects, where the server names it (clustered databases).
    pub fn transaction(&self) -> Option<Uuid> {
        self.transaction
    }

    /// Whether this is the beginning of a connection, and so may differ from the one before by more than one
    /// transaction.
    pub fn began_again(&self) -> bool {
        self.began_again
    }

    /// Whether any row differs from an `older` replica.
    pub fn differs_from(&self, older: &Self) -> bool {
        self != older
    }

    /// Notes the transaction that the last update brought us to; `None` changes nothing.
    pub fn set_transaction(&mut self, transaction: Option<Uuid>) {
        self.transaction = transaction.or(self.transaction);
    }

    /// Makes a copy that cannot be resumed from: it may not be what the server would believe it to be, as after
    /// conditions that were not acknowledged.
    pub fn forget_transaction(&mut self) {
        self.transaction = None;
    }

    /// The copy at the beginning of another connection: `dump` is the whole of it, or where the server
    /// `resumed` what `self` missed. Serial numbers go on.
    pub fn begin_again(
        &self,
        monitor: Arc<Monitor>,
        dump: Updates,
        resumed: bool,
    ) -> Result<Self, ReplicaError> {
        let mut replica = if resumed { self.clone() } else { Self::new(monitor) };
        replica.serial = self.serial;
        replica.apply(dump)?;
        replica.began_again = true;
        Ok(replica)
    }

    /// Applies updates. After an error the copy is half-updated and must be thrown away.
    pub fn apply(&mut self, updates: Updates) -> Result<(), ReplicaError> {
        for update in updates.tables {
            let spec = &self.monitor.tables()[update.table];
            let indexings = &self.indexings[update.table];
            let table = &mut self.tables[update.table];
            if table.rows.is_empty() && update.rows.iter().all(|(_, change)| change.new_row().is_some()) {
                let new = update.rows.into_iter();
                let new = new.filter_map(|(uuid, change)| Some((uuid, change.into_new_row()?)));
                if let Some(uuid) = table.load(new.collect(), spec, indexings) {
                    return Err(ReplicaError::KnownRow { table: spec.name.to_string(), uuid });
                }
                continue;
            }
            for (uuid, change) in update.rows {
                let table_name = || spec.name.to_string();
                table.apply(uuid, change, spec, indexings).map_err(|unfit| match unfit {
                    Unfit::Known => ReplicaError::KnownRow { table: table_name(), uuid },
                    Unfit::Unknown => ReplicaError::UnknownRow { table: table_name(), uuid },
                })?;
            }
        }
        self.serial += 1;
        self.began_again = false;
        Ok(())
    }
}

impl PartialEq for Replica {
    /// Whether both hold the same rows, whenever they got them.
    fn eq(&self, other: &Self) -> bool {
        let tables = || self.tables.iter().zip(&other.tables);
        (Arc::ptr_eq(&self.monitor, &other.monitor) || self.monitor.copies_same(&other.monitor))
            && tables().all(|(ours, theirs)| ours.rows == theirs.rows)
    }
}

#[cfg(test)]
mod tests;
