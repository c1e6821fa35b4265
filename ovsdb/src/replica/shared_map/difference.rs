use std::cmp::Ordering;

use super::Node;

/// What one entry is in each of two maps: key, value in the older one, value in the newer one.
pub(crate) type Differing<'a, K, V> = (&'a K, Option<&'a V>, Option<&'a V>);

/// Walks two maps side by side and gives the entries that differ. A node that both share is stepped over.
#[derive(Debug)]
pub(crate) struct Difference<'a, K, V> {
    old: Side<'a, K, V>,
    new: Side<'a, K, V>,
    /// Nodes and entries looked at.
    #[cfg(test)]
    pub(crate) steps: usize,
}

/// What is left of one map: the last is the first in order, none empty.
#[derive(Debug)]
struct Side<'a, K, V>(Vec<Part<'a, K, V>>);

#[derive(Debug)]
enum Part<'a, K, V> {
    Root(&'a Node<K, V>),
    Children(&'a [(K, Node<K, V>)]),
    Entries(&'a [(K, V)]),
}

/// The first of what is left.
enum Next<'a, K, V> {
    Node(Option<&'a K>, &'a Node<K, V>),
    Entry(&'a K, &'a V),
}

impl<'a, K, V> Side<'a, K, V> {
    fn peek(&self) -> Option<Next<'a, K, V>> {
        match self.0.last()? {
            Part::Root(node) => Some(Next::Node(None, node)),
            Part::Children(children) => children.first().map(|(key, node)| Next::Node(Some(key), node)),
            Part::Entries(entries) => entries.first().map(|(key, value)| Next::Entry(key, value)),
        }
    }

    fn step(&mut self) {
        let left = match self.0.pop() {
            Some(Part::Children(children)) => Part::Children(&children[1..]),
            Some(Part::Entries(entries)) => Part::Entries(&entries[1..]),
            Some(Part::Root(_)) | None => return,
        };
        self.push(left);
    }

    fn expand(&mut self, node: &'a Node<K, V>) {
        self.step();
        self.push(match node {
            Node::Leaf(entries) => Part::Entries(entries),
            Node::Inner(inner) => Part::Children(&inner.children),
        });
    }

    fn push(&mut self, part: Part<'a, K, V>) {
        let empty = match part {
            Part::Root(_) => false,
            Part::Children(children) => children.is_empty(),
            Part::Entries(entries) => entries.is_empty(),
        };
        if !empty {
            self.0.push(part);
        }
    }
}

impl<'a, K, V> Difference<'a, K, V> {
    pub(super) fn new(old: Option<&'a Node<K, V>>, new: Option<&'a Node<K, V>>) -> Self {
        Self {
            old: Side(old.map(Part::Root).into_iter().collect()),
            new: Side(new.map(Part::Root).into_iter().collect()),
            #[cfg(test)]
            steps: 0,
        }
    }
}

impl<'a, K: Ord + Clone, V: Clone + PartialEq> Iterator for Difference<'a, K, V> {
    type Item = Differing<'a, K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            match (self.old.peek(), self.new.peek()) {
                (None, None) => return None,
                (Some(Next::Node(_, old)), Some(Next::Node(_, new))) if old.is_same(new) => {
                    self.old.step();
                    self.new.step();
                }
                (Some(Next::Node(a, old)), Some(Next::Node(b, new))) => {
                    // What begins first, then what is higher, so that what both share comes to be first in both.
                    let order = a.cmp(&b).then(new.level().cmp(&old.level()));
                    if order.is_le() {
                        self.old.expand(old);
                    }
                    if order.is_ge() {
                        self.new.expand(new);
                    }
                }
                (Some(Next::Node(_, old)), None) => self.old.expand(old),
                (None, Some(Next::Node(_, new))) => self.new.expand(new),
                (Some(Next::Node(first, old)), Some(Next::Entry(key, value))) => {
                    if first.is_some_and(|first| key < first) {
                        self.new.step();
                        return Some((key, None, Some(value)));
                    }
                    self.old.expand(old);
                }
                (Some(Next::Entry(key, value)), Some(Next::Node(first, new))) => {
                    if first.is_some_and(|first| key < first) {
                        self.old.step();
                        return Some((key, Some(value), None));
                    }
                    self.new.expand(new);
                }
                (Some(Next::Entry(key, value)), None) => {
                    self.old.step();
                    return Some((key, Some(value), None));
                }
                (None, Some(Next::Entry(key, value))) => {
                    self.new.step();
                    return Some((key, None, Some(value)));
                }
                (Some(Next::Entry(a, old)), Some(Next::Entry(b, new))) => match a.cmp(b) {
                    Ordering::Less => {
                        self.old.step();
                        return Some((a, Some(old), None));
                    }
                    Ordering::Greater => {
                        self.new.step();
                        return Some((b, None, Some(new)));
                    }
                    Ordering::Equal => {
                        self.old.step();
                        self.new.step();
                        if old != new {
                            return Some((a, Some(old), Some(new)));
                        }
                    }
                },
            }
        }
    }
}
