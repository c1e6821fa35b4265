use std::sync::Arc;

use uuid::Uuid;

use super::Row;

/// Rows a leaf holds at most. A changed row costs a copy of its leaf and of the list of leaves; at 50,000
/// rows both are about this long times ten.
const LEAF: usize = 64;

/// A sorted map in leaves that are shared between copies: a tree of two levels.
#[derive(Clone, Debug, Default)]
pub(super) struct RowMap {
    /// None empty; sorted among each other.
    leaves: Vec<Arc<Vec<(Uuid, Row)>>>,
    len: usize,
}

impl RowMap {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn leaves(&self) -> &[Arc<Vec<(Uuid, Row)>>] {
        &self.leaves
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Uuid, &Row)> + '_ {
        self.leaves.iter().flat_map(|leaf| leaf.iter().map(|(uuid, row)| (*uuid, row)))
    }

    pub(super) fn get(&self, uuid: &Uuid) -> Option<&Row> {
        let leaf = self.leaves.get(self.leaf_of(uuid))?;
        leaf.binary_search_by(|(key, _)| key.cmp(uuid)).ok().map(|at| &leaf[at].1)
    }

    /// Fills an empty map with rows in any order. A UUID that is there twice is given back, and the map is no good.
    pub(super) fn load(&mut self, rows: impl IntoIterator<Item = (Uuid, Row)>) -> Option<Uuid> {
        let mut rows: Vec<(Uuid, Row)> = rows.into_iter().collect();
        rows.sort_unstable_by_key(|row| row.0);
        self.len = rows.len();
        // Half full, so that the next inserts do not split every leaf.
        self.leaves = rows.chunks(LEAF / 2).map(|chunk| Arc::new(chunk.to_vec())).collect();
        rows.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0)
    }

    /// Adds or replaces a row. Whether it was there.
    pub(super) fn insert(&mut self, uuid: Uuid, row: Row) -> bool {
        if self.leaves.is_empty() {
            self.leaves.push(Arc::default());
        }
        let index = self.leaf_of(&uuid);
        let leaf = Arc::make_mut(&mut self.leaves[index]);
        match leaf.binary_search_by(|(key, _)| key.cmp(&uuid)) {
            Ok(at) => {
                leaf[at].1 = row;
                return true;
            }
            Err(at) => leaf.insert(at, (uuid, row)),
        }
        self.len += 1;
        if leaf.len() > LEAF {
            let upper = leaf.split_off(LEAF / 2);
            self.leaves.insert(index + 1, Arc::new(upper));
        }
        false
    }

    /// Removes a row. Whether it was there.
    pub(super) fn remove(&mut self, uuid: &Uuid) -> bool {
        let index = self.leaf_of(uuid);
        let Some(leaf) = self.leaves.get_mut(index) else { return false };
        let Ok(at) = leaf.binary_search_by(|(key, _)| key.cmp(uuid)) else { return false };
        let leaf = Arc::make_mut(leaf);
        leaf.remove(at);
        self.len -= 1;
        if leaf.is_empty() {
            self.leaves.remove(index);
        }
        true
    }

    /// The last leaf that begins at or below `uuid`, or the first.
    fn leaf_of(&self, uuid: &Uuid) -> usize {
        self.leaves
            .partition_point(|leaf| leaf.first().is_some_and(|(first, _)| first <= uuid))
            .saturating_sub(1)
    }
}

impl PartialEq for RowMap {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::notation::Value;

    proptest! {
        /// Against the map of the standard library, small keys so that they meet again.
        #[test]
        fn behaves_as_a_sorted_map(steps in prop::collection::vec((0u128..300, any::<bool>()), 0..900)) {
            let (mut ours, mut model) = (RowMap::default(), BTreeMap::new());
            let mut before = None;
            for (index, (key, add)) in steps.into_iter().enumerate() {
                let uuid = Uuid::from_u128(key);
                if index == 200 {
                    before = Some((ours.clone(), model.clone()));
                }
                if add {
                    let row = Row::new(vec![(0, Value::from(index as i64))]);
                    prop_assert_eq!(ours.insert(uuid, row.clone()), model.insert(uuid, row).is_some());
                } else {
                    prop_assert_eq!(ours.remove(&uuid), model.remove(&uuid).is_some());
                }
                prop_assert_eq!(ours.get(&uuid), model.get(&uuid));
            }
            for (ours, model) in before.into_iter().chain([(ours, model)]) {
                prop_assert_eq!(ours.len(), model.len());
                prop_assert!(ours.iter().eq(model.iter().map(|(uuid, row)| (*uuid, row))));
            }
        }
    }
}
