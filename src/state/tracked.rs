//! A map that knows which of its entries have changed, so that a plan need not look at all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// A map and the keys whose values were added, changed or removed since these were last taken.
#[derive(Clone, Debug)]
pub struct Tracked<K, V> {
    map: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K: Ord + Clone, V> Tracked<K, V> {
    /// As [`BTreeMap::insert`].
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.changed.insert(key.clone());
        self.map.insert(key, value)
    }

    /// As [`BTreeMap::remove`].
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.map.remove(key);
        if removed.is_some() {
            self.changed.insert(key.clone());
        }
        removed
    }

    /// As [`BTreeMap::get_mut`]; the entry counts as changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.map.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(value)
    }

    /// The value of `key`, which is made if there is none; the entry counts as changed.
    pub fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        self.changed.insert(key.clone());
        self.map.entry(key).or_insert_with(value)
    }

    /// Keeps the entries for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let changed = &mut self.changed;
        self.map.retain(|key, value| {
            let kept = keep(key, value);
            if !kept {
                changed.insert(key.clone());
            }
            kept
        });
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.retain(|_, _| false);
    }

    /// Adds entries.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = (K, V)>) {
        entries.into_iter().for_each(|(key, value)| drop(self.insert(key, value)));
    }

    /// The keys whose values have changed since this was last asked.
    pub fn take_changed(&mut self) -> BTreeSet<K> {
        std::mem::take(&mut self.changed)
    }
}

impl<K: Ord + Clone, V: PartialEq> Tracked<K, V> {
    /// Takes `map` for what there is, and returns what there was. Entries that are equal do not count as changed.
    pub fn replace(&mut self, map: BTreeMap<K, V>) -> BTreeMap<K, V> {
        let old = std::mem::replace(&mut self.map, map);
        let new_or_other = self.map.iter().filter(|(key, value)| old.get(key) != Some(value));
        let gone = old.keys().filter(|key| !self.map.contains_key(key));
        self.changed.extend(new_or_other.map(|(key, _)| key).chain(gone).cloned());
        old
    }
}

impl<K, V> Deref for Tracked<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.map
    }
}

impl<K, V> Default for Tracked<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Tracked<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

impl<K: Ord + Clone, V> From<BTreeMap<K, V>> for Tracked<K, V> {
    fn from(map: BTreeMap<K, V>) -> Self {
        let changed = map.keys().cloned().collect();
        Self { map, changed }
    }
}

impl<'a, K, V> IntoIterator for &'a Tracked<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::collections::btree_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.map.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_told_once() {
        let mut map = Tracked::from(BTreeMap::from([(1, 'a'), (2, 'b'), (3, 'c')]));
        assert_eq!(map.take_changed(), BTreeSet::from([1, 2, 3]));
        assert_eq!(map.get(&1), Some(&'a'));
        assert_eq!(map.take_changed(), BTreeSet::new());
        map.insert(4, 'd');
        map.remove(&1);
        map.remove(&9);
        map.retain(|key, _| *key != 2);
        *map.get_or_insert_with(5, || 'e') = 'f';
        assert_eq!(map.take_changed(), BTreeSet::from([1, 2, 4, 5]));
        let before = map.replace(BTreeMap::from([(3, 'c'), (4, 'x'), (6, 'g')]));
        assert_eq!(before, BTreeMap::from([(3, 'c'), (4, 'd'), (5, 'f')]));
        assert_eq!(map.take_changed(), BTreeSet::from([4, 5, 6]));
    }
}
