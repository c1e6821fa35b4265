use std::collections::BTreeSet;

use uuid::Uuid;

use super::Row;
use super::indexing::{Indexing, Key};
use super::shared_map::SharedMap;
use crate::monitor::{MonitoredTable, RowUpdate};
use crate::notation::Value;
use crate::table::Shape;

/// The rows of one table, and its indexes. A clone costs nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct TableRows {
    pub(super) rows: SharedMap<Uuid, Row>,
    /// For each [`Indexing`] the hashes of its keys, with the rows that have them. Nothing is unique here: two
    /// rows may have one key for as long as an update lasts.
    pub(super) indexes: Box<[SharedMap<(u64, Uuid), ()>]>,
}

/// An update of a row that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// New, but there already.
    Known,
    /// Changed, but not there.
    Unknown,
}

impl TableRows {
    pub(super) fn new(indexes: usize) -> Self {
        Self { rows: SharedMap::default(), indexes: vec![SharedMap::default(); indexes].into() }
    }

    /// Fills an empty table. A UUID that is there twice is given back, and the table is no good.
    pub(super) fn load(
        &mut self,
        mut rows: Vec<(Uuid, Row)>,
        spec: &MonitoredTable,
        indexings: &[Indexing],
    ) -> Option<Uuid> {
        rows.sort_unstable_by_key(|row| row.0);
        let twice = rows.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0);
        for (index, indexing) in self.indexes.iter_mut().zip(indexings) {
            let mut entries = Vec::new();
            for (uuid, row) in &rows {
                indexing.each_key(row, spec, |key| entries.push(((Key::hash(key), *uuid), ())));
            }
            *index = SharedMap::of(entries);
        }
        self.rows = SharedMap::of(rows);
        twice
    }

    /// Applies the update of one row.
    pub(super) fn apply(
        &mut self,
        uuid: Uuid,
        update: RowUpdate,
        spec: &MonitoredTable,
        indexings: &[Indexing],
    ) -> Result<(), Unfit> {
        match update {
            RowUpdate::Insert(row) => {
                if self.rows.get(&uuid).is_some() {
                    return Err(Unfit::Known);
                }
                self.index(uuid, None, Some(&row), spec, indexings);
                self.rows.insert(uuid, row);
            }
            RowUpdate::Replace(row) => {
                let old = self.rows.insert(uuid, row.clone());
                self.index(uuid, old.as_ref(), Some(&row), spec, indexings);
            }
            RowUpdate::Delete => {
                let old = self.rows.remove(&uuid).ok_or(Unfit::Unknown)?;
                self.index(uuid, Some(&old), None, spec, indexings);
            }
            RowUpdate::Modify(differences) => {
                let old = self.rows.get(&uuid).ok_or(Unfit::Unknown)?;
                let touched: Vec<bool> = indexings
                    .iter()
                    .map(|indexing| differences.iter().any(|(column, _)| indexing.reads(*column)))
                    .collect();
                if !touched.contains(&true) {
                    let new = old.modified(differences, spec);
                    self.rows.insert(uuid, new);
                    return Ok(());
                }
                let old = old.clone();
                let toggled: Vec<Option<Vec<u64>>> =
                    indexings.iter().map(|indexing| toggled(indexing, &differences, spec)).collect();
                let new = old.modified(differences, spec);
                for (at, indexing) in indexings.iter().enumerate().filter(|(at, _)| touched[*at]) {
                    let index = &mut self.indexes[at];
                    match &toggled[at] {
                        Some(hashes) => toggle(index, uuid, hashes),
                        None => reindex(index, uuid, Some(&old), Some(&new), spec, indexing),
                    }
                }
                self.rows.insert(uuid, new);
            }
        }
        Ok(())
    }

    fn index(
        &mut self,
        uuid: Uuid,
        old: Option<&Row>,
        new: Option<&Row>,
        spec: &MonitoredTable,
        indexings: &[Indexing],
    ) {
        for (index, indexing) in self.indexes.iter_mut().zip(indexings) {
            reindex(index, uuid, old, new, spec, indexing);
        }
    }
}

/// The hashes of the elements that the difference of a set adds or removes, for an index by elements: what the
/// row's set has besides is not looked at.
fn toggled(indexing: &Indexing, differences: &[(u16, Value)], spec: &MonitoredTable) -> Option<Vec<u64>> {
    let column = indexing.elements_of()?;
    if spec.columns[usize::from(column)].shape != Shape::Set {
        return None;
    }
    let (_, difference) = differences.iter().find(|(changed, _)| *changed == column)?;
    Some(difference.atoms().iter().map(|atom| Key::hash(&Key::of_element(atom))).collect())
}

fn toggle(index: &mut SharedMap<(u64, Uuid), ()>, uuid: Uuid, hashes: &[u64]) {
    for hash in hashes {
        if index.remove(&(*hash, uuid)).is_none() {
            index.insert((*hash, uuid), ());
        }
    }
}

fn reindex(
    index: &mut SharedMap<(u64, Uuid), ()>,
    uuid: Uuid,
    old: Option<&Row>,
    new: Option<&Row>,
    spec: &MonitoredTable,
    indexing: &Indexing,
) {
    let hashes = |row: Option<&Row>| {
        let mut hashes = BTreeSet::new();
        if let Some(row) = row {
            indexing.each_key(row, spec, |key| hashes.extend([Key::hash(key)]));
        }
        hashes
    };
    let (old, new) = (hashes(old), hashes(new));
    for hash in old.difference(&new) {
        index.remove(&(*hash, uuid));
    }
    for hash in new.difference(&old) {
        index.insert((*hash, uuid), ());
    }
}
