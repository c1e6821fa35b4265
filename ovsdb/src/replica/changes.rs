use std::collections::BTreeMap;

use uuid::Uuid;

use super::shared_map::SharedMap;
use super::{Replica, Row};
use crate::monitor::MonitoredTable;
use crate::table::Table;

/// How one row of table `T` differs between two replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowChange<'a, T> {
    /// It is new.
    Insert {
        /// Its UUID.
        uuid: Uuid,
        /// The row.
        new: &'a T,
    },
    /// It is another.
    Modify {
        /// Its UUID.
        uuid: Uuid,
        /// As it was.
        old: &'a T,
        /// As it is.
        new: &'a T,
    },
    /// It is gone.
    Delete {
        /// Its UUID.
        uuid: Uuid,
        /// As it was.
        old: &'a T,
    },
}

impl<T> RowChange<'_, T> {
    /// The row's UUID.
    pub fn uuid(&self) -> Uuid {
        match self {
            Self::Insert { uuid, .. } | Self::Modify { uuid, .. } | Self::Delete { uuid, .. } => *uuid,
        }
    }
}

impl Replica {
    /// The rows of table `T` that differ from an `older` replica of the same client, in the order of their
    /// UUIDs. What both share is skipped, so that a small change in a large table is found at once.
    pub fn changes<'a, T: Table>(&'a self, older: &'a Self) -> impl Iterator<Item = RowChange<'a, T>> {
        let (old, new) = (Side::of::<T>(older), Side::of::<T>(self));
        let alike = match (old, new) {
            (Some(old), Some(new)) => std::ptr::eq(old.spec, new.spec) || old.spec == new.spec,
            _ => true,
        };
        let (old_rows, new_rows) = (old.map(|side| side.rows), new.map(|side| side.rows));
        // The server's schema is another: the same row is kept in other bytes.
        let all = (!alike).then(|| all_rows(old_rows, new_rows));
        let differing = SharedMap::differences(old_rows.filter(|_| alike), new_rows.filter(|_| alike));
        let differing = differing.map(|(uuid, old, new)| (*uuid, old, new));
        differing.chain(all.into_iter().flatten()).filter_map(move |(uuid, before, after)| {
            let before = before.zip(old).map(|(row, side)| row.typed::<T>(side.spec));
            let after = after.zip(new).map(|(row, side)| row.typed::<T>(side.spec));
            match (before, after) {
                (None, Some(new)) => Some(RowChange::Insert { uuid, new }),
                (Some(old), Some(new)) if alike || old != new => Some(RowChange::Modify { uuid, old, new }),
                (Some(old), None) => Some(RowChange::Delete { uuid, old }),
                (Some(_), Some(_)) | (None, None) => None,
            }
        })
    }
}

/// One table of one of the replicas.
#[derive(Clone, Copy)]
struct Side<'a> {
    spec: &'a MonitoredTable,
    rows: &'a SharedMap<Uuid, Row>,
}

impl<'a> Side<'a> {
    fn of<T: Table>(replica: &'a Replica) -> Option<Self> {
        let index = replica.monitor.table_index(T::NAME)?;
        Some(Self { spec: &replica.monitor.tables()[index], rows: &replica.tables[index].rows })
    }
}

type Rows<'a> = Option<&'a SharedMap<Uuid, Row>>;

fn all_rows<'a>(
    old: Rows<'a>,
    new: Rows<'a>,
) -> impl Iterator<Item = (Uuid, Option<&'a Row>, Option<&'a Row>)> {
    let mut rows: BTreeMap<Uuid, (Option<&Row>, Option<&Row>)> = BTreeMap::new();
    for (uuid, row) in old.into_iter().flat_map(SharedMap::iter) {
        rows.entry(*uuid).or_default().0 = Some(row);
    }
    for (uuid, row) in new.into_iter().flat_map(SharedMap::iter) {
        rows.entry(*uuid).or_default().1 = Some(row);
    }
    rows.into_iter().map(|(uuid, (old, new))| (uuid, old, new))
}
