//! A sorted map whose copies share what is the same: a B+ tree of reference-counted nodes.

mod difference;

use std::borrow::Borrow;
use std::sync::Arc;

pub(crate) use difference::Difference;

/// Entries of a leaf, and children of an inner node, at most. A change copies one node a level: at 50,000
/// entries three nodes of about this many words.
const WIDTH: usize = 32;

/// How full nodes are that are made at once: the next inserts should not split every one.
const FILL: usize = WIDTH * 3 / 4;

/// Sorted by key. A clone costs nothing; a change of one entry O(log n), and leaves the clones as they were.
#[derive(Clone, Debug)]
pub(crate) struct SharedMap<K, V> {
    root: Node<K, V>,
    len: usize,
}

#[derive(Debug)]
enum Node<K, V> {
    Leaf(Arc<Vec<(K, V)>>),
    Inner(Arc<Inner<K, V>>),
}

#[derive(Clone, Debug)]
struct Inner<K, V> {
    /// 1 above leaves.
    level: usize,
    /// Each with a key that none of its own is below, and all of the one before are.
    children: Vec<(K, Node<K, V>)>,
}

// Derived it would ask the same of `K` and `V`.
impl<K, V> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(entries) => Self::Leaf(entries.clone()),
            Self::Inner(inner) => Self::Inner(inner.clone()),
        }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { root: Node::Leaf(Arc::new(Vec::new())), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// A map of these entries, in any order. Of several with one key the last counts.
    pub(crate) fn of(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.reverse();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup_by(|a, b| a.0 == b.0);
        }
        let len = entries.len();
        let mut nodes: Vec<(K, Node<K, V>)> =
            chunks(entries).map(|chunk| (chunk[0].0.clone(), Node::Leaf(Arc::new(chunk)))).collect();
        let mut level = 0;
        while nodes.len() > 1 {
            level += 1;
            let inner = |children: Vec<_>| Node::Inner(Arc::new(Inner { level, children }));
            nodes = chunks(nodes).map(|chunk| (chunk[0].0.clone(), inner(chunk))).collect();
        }
        nodes.pop().map_or_else(Self::default, |(_, root)| Self { root, len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let found = entries.binary_search_by(|(at, _)| at.borrow().cmp(key));
                    return found.ok().map(|at| &entries[at].1);
                }
                Node::Inner(inner) => node = &inner.children[inner.child_of(key)].1,
            }
        }
    }

    /// All entries in the order of their keys.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        Iter { parents: Vec::new(), entries: [].iter() }.at(&self.root)
    }

    /// The entries whose key is `from` or above.
    pub(crate) fn iter_from(&self, from: &K) -> Iter<'_, K, V> {
        let mut parents = Vec::new();
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let start = entries.partition_point(|(key, _)| key < from);
                    return Iter { parents, entries: entries[start..].iter() };
                }
                Node::Inner(inner) => {
                    let child = inner.child_of(from);
                    parents.push(inner.children[child + 1..].iter());
                    node = &inner.children[child].1;
                }
            }
        }
    }

    /// Adds an entry or replaces one; gives the value that it had.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (replaced, split) = self.root.insert(key, value);
        if replaced.is_none() {
            self.len += 1;
        }
        if let Some(upper) = split {
            let lower = std::mem::replace(&mut self.root, Node::Leaf(Arc::new(Vec::new())));
            // The bound of a first child is never looked at before it is lowered to what is put below it.
            let first = lower.first_key().unwrap_or_else(|| upper.0.clone());
            let level = lower.level() + 1;
            self.root = Node::Inner(Arc::new(Inner { level, children: vec![(first, lower), upper] }));
        }
        replaced
    }

    /// Removes an entry; gives its value.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        // Not found: nothing is to be copied.
        self.get(key)?;
        let removed = self.root.remove(key);
        self.len -= usize::from(removed.is_some());
        while let Node::Inner(inner) = &self.root {
            let [(_, only)] = &inner.children[..] else { break };
            self.root = only.clone();
        }
        removed
    }

    /// What differs from an `older` map, in the order of the keys. What both share is skipped.
    pub(crate) fn difference<'a>(&'a self, older: &'a Self) -> Difference<'a, K, V> {
        Self::differences(Some(older), Some(self))
    }

    /// The same of maps that need not be there.
    pub(crate) fn differences<'a>(old: Option<&'a Self>, new: Option<&'a Self>) -> Difference<'a, K, V> {
        Difference::new(old.map(|map| &map.root), new.map(|map| &map.root))
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.difference(other).next().is_none()
    }
}

impl<K: Ord, V> Inner<K, V> {
    /// The last child that begins at or below `key`, or the first.
    fn child_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        self.children.partition_point(|(first, _)| first.borrow() <= key).saturating_sub(1)
    }
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    fn level(&self) -> usize {
        match self {
            Self::Leaf(_) => 0,
            Self::Inner(inner) => inner.level,
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(inner) => inner.children.len(),
        }
    }

    fn first_key(&self) -> Option<K> {
        match self {
            Self::Leaf(entries) => entries.first().map(|(key, _)| key.clone()),
            Self::Inner(inner) => inner.children.first().map(|(key, _)| key.clone()),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(a), Self::Leaf(b)) => Arc::ptr_eq(a, b),
            (Self::Inner(a), Self::Inner(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The value that was replaced, and the upper half where the node became too wide.
    fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<(K, Self)>) {
        match self {
            Self::Leaf(entries) => {
                let entries = Arc::make_mut(entries);
                match entries.binary_search_by(|(at, _)| at.cmp(&key)) {
                    Ok(at) => (Some(std::mem::replace(&mut entries[at].1, value)), None),
                    Err(at) => {
                        entries.insert(at, (key, value));
                        let upper = upper_half(entries).map(|half| (half[0].0.clone(), half));
                        (None, upper.map(|(first, half)| (first, Self::Leaf(Arc::new(half)))))
                    }
                }
            }
            Self::Inner(inner) => {
                let Inner { level, children } = Arc::make_mut(inner);
                let at = children.partition_point(|(first, _)| *first <= key).saturating_sub(1);
                let (first, child) = &mut children[at];
                if key < *first {
                    *first = key.clone();
                }
                let (replaced, split) = child.insert(key, value);
                if let Some(upper) = split {
                    children.insert(at + 1, upper);
                }
                let upper = upper_half(children).map(|half| {
                    (half[0].0.clone(), Self::Inner(Arc::new(Inner { level: *level, children: half })))
                });
                (replaced, upper)
            }
        }
    }

    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Leaf(entries) => {
                let entries = Arc::make_mut(entries);
                let at = entries.binary_search_by(|(at, _)| at.borrow().cmp(key)).ok()?;
                Some(entries.remove(at).1)
            }
            Self::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let at = inner.child_of(key);
                let removed = inner.children[at].1.remove(key);
                inner.narrow(at);
                removed
            }
        }
    }

    /// Appends the content of `next`, which is of the same level and all above.
    fn append(&mut self, next: &Self) {
        match (self, next) {
            (Self::Leaf(entries), Self::Leaf(more)) => Arc::make_mut(entries).extend_from_slice(more),
            (Self::Inner(inner), Self::Inner(more)) => {
                Arc::make_mut(inner).children.extend_from_slice(&more.children);
            }
            _ => {}
        }
    }
}

impl<K: Ord + Clone, V: Clone> Inner<K, V> {
    /// After the child `at` became smaller: drops it when it is empty, joins it with a neighbour when both
    /// are small.
    fn narrow(&mut self, at: usize) {
        let width = self.children[at].1.width();
        if width == 0 && self.children.len() > 1 {
            self.children.remove(at);
            return;
        }
        if width > WIDTH / 4 {
            return;
        }
        let pairs = [at.checked_sub(1), Some(at)].into_iter().flatten();
        for left in pairs.filter(|left| left + 1 < self.children.len()) {
            if self.children[left].1.width() + self.children[left + 1].1.width() <= FILL {
                let (_, right) = self.children.remove(left + 1);
                self.children[left].1.append(&right);
                return;
            }
        }
    }
}

/// The upper half of what is too wide.
fn upper_half<T>(items: &mut Vec<T>) -> Option<Vec<T>> {
    (items.len() > WIDTH).then(|| items.split_off(WIDTH / 2))
}

/// Vectors of [`FILL`] items, none too large for its items.
fn chunks<T>(items: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<T> = Vec::from_iter(items.by_ref().take(FILL));
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Entries in the order of their keys.
#[derive(Debug)]
pub(crate) struct Iter<'a, K, V> {
    /// What is left of each inner node above the leaf.
    parents: Vec<std::slice::Iter<'a, (K, Node<K, V>)>>,
    entries: std::slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn at(mut self, mut node: &'a Node<K, V>) -> Self {
        loop {
            match node {
                Node::Leaf(entries) => {
                    self.entries = entries.iter();
                    return self;
                }
                Node::Inner(inner) => {
                    let mut children = inner.children.iter();
                    let Some((_, first)) = children.next() else { return self };
                    self.parents.push(children);
                    node = first;
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.entries.next() {
                return Some((key, value));
            }
            let next = loop {
                match self.parents.last_mut()?.next() {
                    Some((_, node)) => break node,
                    None => drop(self.parents.pop()),
                }
            };
            let parents = std::mem::take(&mut self.parents);
            *self = Self { parents, entries: [].iter() }.at(next);
        }
    }
}

#[cfg(test)]
mod tests;
