use std::marker::PhantomData;

use uuid::Uuid;

use super::indexing::{Indexing, Key};
use super::shared_map::Iter;
use super::table_rows::TableRows;
use super::{Replica, Row};
use crate::monitor::MonitoredTable;
use crate::notation::Value;
use crate::table::{Index, Table};

/// The rows of table `T` that have a key, in the order of their UUIDs; made by [`Replica::by`].
#[derive(Debug)]
pub struct Found<'a, T> {
    search: Option<Search<'a>>,
    table: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Search<'a> {
    spec: &'a MonitoredTable,
    table: &'a TableRows,
    indexing: Indexing,
    key: Key,
    candidates: Candidates<'a>,
}

#[derive(Debug)]
enum Candidates<'a> {
    /// From the first entry of an index with the key's hash on.
    Indexed(Iter<'a, (u64, Uuid), ()>),
    /// All rows.
    Scanned(Iter<'a, Uuid, Row>),
}

impl Replica {
    /// The rows of table `T` that have `key`, in the order of their UUIDs: `replica.by(Port::NAME, "web0")`.
    ///
    /// By an index that the [monitor](crate::Monitor::indexed_by) has this costs O(log n), by any other one all rows
    /// are looked at. The indexes of the schema and of [`table!`](crate::table!) are always there.
    ///
    /// An index is not taken to be unique, though the server's schema may say so: within the update that moves a
    /// key from one row to another both may have it.
    pub fn by<T: Table, K>(&self, index: impl Into<Index<T, K>>, key: impl Into<K>) -> Found<'_, T> {
        let index = index.into();
        let search = self.search(&index, &index.values(&key.into()));
        Found { search, table: PhantomData }
    }

    /// Whether the rows of `index` are looked up without a scan.
    pub fn is_indexed<T: Table, K>(&self, index: impl Into<Index<T, K>>) -> bool {
        let index = index.into();
        let table = self.monitor.table_index(T::NAME);
        table.is_some_and(|table| self.indexings[table].iter().any(|kept| kept.spec == *index.spec()))
    }

    fn search<T: Table, K>(&self, index: &Index<T, K>, values: &[Value]) -> Option<Search<'_>> {
        let at = self.monitor.table_index(T::NAME)?;
        let (spec, table) = (&self.monitor.tables()[at], &self.tables[at]);
        let kept = self.indexings[at].iter().zip(&table.indexes).find(|(kept, _)| kept.spec == *index.spec());
        let (indexing, entries) = match kept {
            Some((indexing, entries)) => (indexing.clone(), Some(entries)),
            None => (Indexing::new(index.spec().clone(), spec), None),
        };
        let key = indexing.key(values, spec);
        let candidates = match entries {
            Some(entries) => Candidates::Indexed(entries.iter_from(&(key.hash, Uuid::nil()))),
            None => Candidates::Scanned(table.rows.iter()),
        };
        Some(Search { spec, table, indexing, key, candidates })
    }
}

impl<'a> Search<'a> {
    fn next(&mut self) -> Option<(Uuid, &'a Row)> {
        loop {
            let (uuid, row) = match &mut self.candidates {
                Candidates::Scanned(rows) => rows.next().map(|(uuid, row)| (*uuid, row))?,
                Candidates::Indexed(entries) => {
                    let ((_, uuid), ()) = entries.next().filter(|((hash, _), ())| *hash == self.key.hash)?;
                    (*uuid, self.table.rows.get(uuid)?)
                }
            };
            if self.indexing.has(row, self.spec, &self.key) {
                return Some((uuid, row));
            }
        }
    }
}

impl<'a, T: Table> Iterator for Found<'a, T> {
    type Item = (Uuid, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        let search = self.search.as_mut()?;
        let (uuid, row) = search.next()?;
        Some((uuid, row.typed(search.spec)))
    }
}

#[cfg(test)]
mod tests;
