use std::cmp::Ordering;
use std::sync::Arc;

use uuid::Uuid;

use super::row_map::RowMap;
use super::{Replica, Row};
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
        let new = self.monitor.table_index(T::NAME).map(|index| (self, index));
        let old = older.monitor.table_index(T::NAME).map(|index| (older, index));
        let leaves = |side: Option<(&'a Self, usize)>| {
            side.map_or(&[][..], |(replica, index)| replica.tables[index].leaves())
        };
        let typed = |side: Option<(&'a Self, usize)>, row: &'a Row| {
            side.map(|(replica, index)| row.typed::<T>(&replica.monitor.tables()[index]))
        };
        Difference::new(leaves(old), leaves(new)).filter_map(move |(uuid, before, after)| {
            let before = before.and_then(|row| typed(old, row));
            let after = after.and_then(|row| typed(new, row));
            match (before, after) {
                (None, Some(new)) => Some(RowChange::Insert { uuid, new }),
                (Some(old), Some(new)) => Some(RowChange::Modify { uuid, old, new }),
                (Some(old), None) => Some(RowChange::Delete { uuid, old }),
                (None, None) => None,
            }
        })
    }
}

type Leaf = Arc<Vec<(Uuid, Row)>>;

/// Walks two sorted maps side by side and gives the rows that differ.
struct Difference<'a> {
    old: Cursor<'a>,
    new: Cursor<'a>,
}

#[derive(Clone, Copy)]
struct Cursor<'a> {
    leaves: &'a [Leaf],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<&'a (Uuid, Row)> {
        self.leaves.first().map(|leaf| &leaf[self.at])
    }

    fn advance(&mut self) {
        self.at += 1;
        if self.leaves.first().is_some_and(|leaf| self.at == leaf.len()) {
            self.skip_leaf();
        }
    }

    fn skip_leaf(&mut self) {
        self.leaves = &self.leaves[1..];
        self.at = 0;
    }
}

impl<'a> Difference<'a> {
    fn new(old: &'a [Leaf], new: &'a [Leaf]) -> Self {
        Self { old: Cursor { leaves: old, at: 0 }, new: Cursor { leaves: new, at: 0 } }
    }

    fn skip_shared(&mut self) {
        while self.old.at == 0 && self.new.at == 0 {
            match (self.old.leaves.first(), self.new.leaves.first()) {
                (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {
                    self.old.skip_leaf();
                    self.new.skip_leaf();
                }
                _ => return,
            }
        }
    }
}

impl<'a> Iterator for Difference<'a> {
    type Item = (Uuid, Option<&'a Row>, Option<&'a Row>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.skip_shared();
            let order = match (self.old.peek(), self.new.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let old = if order.is_le() { self.old.peek() } else { None };
            let new = if order.is_ge() { self.new.peek() } else { None };
            if old.is_some() {
                self.old.advance();
            }
            if new.is_some() {
                self.new.advance();
            }
            match (old, new) {
                (Some((_, old)), Some((_, new))) if old == new => {}
                (old, new) => {
                    let uuid = old.or(new)?.0;
                    return Some((uuid, old.map(|(_, row)| row), new.map(|(_, row)| row)));
                }
            }
        }
    }
}

impl RowMap {
    /// Whether any row differs.
    pub(super) fn differs_from(&self, older: &Self) -> bool {
        Difference::new(older.leaves(), self.leaves()).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::notation::Value;

    proptest! {
        /// Against two maps of the standard library, compared key by key.
        #[test]
        fn finds_what_differs(
            first in prop::collection::vec(0u128..2000, 0..1500),
            then in prop::collection::vec((0u128..2000, 0u8..3), 0..60),
        ) {
            let row = |value: i64| Row::new(vec![(0, Value::from(value))]);
            let (mut old, mut old_model) = (RowMap::default(), BTreeMap::new());
            for key in first {
                let uuid = Uuid::from_u128(key);
                old.insert(uuid, row(1));
                old_model.insert(uuid, row(1));
            }
            let (mut new, mut new_model) = (old.clone(), old_model.clone());
            for (key, what) in then {
                let uuid = Uuid::from_u128(key);
                if what == 0 {
                    new.remove(&uuid);
                    new_model.remove(&uuid);
                } else {
                    new.insert(uuid, row(what.into()));
                    new_model.insert(uuid, row(what.into()));
                }
            }
            let keys = old_model.keys().chain(new_model.keys()).copied().collect::<std::collections::BTreeSet<_>>();
            let expected: Vec<_> = keys
                .into_iter()
                .map(|uuid| (uuid, old_model.get(&uuid), new_model.get(&uuid)))
                .filter(|(_, old, new)| old != new)
                .collect();
            let found: Vec<_> = Difference::new(old.leaves(), new.leaves()).collect();
            prop_assert_eq!(found, expected.clone());
            prop_assert_eq!(new.differs_from(&old), !expected.is_empty());
        }
    }
}
