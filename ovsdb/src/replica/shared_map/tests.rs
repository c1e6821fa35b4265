use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<u32, usize>;

fn check(ours: &SharedMap<u32, usize>, model: &Model) {
    assert_eq!(ours.len(), model.len());
    assert!(ours.iter().eq(model.iter()));
    for from in [0, 17, 150, 299, 1000] {
        assert!(ours.iter_from(&from).eq(model.range(from..)), "from {from}");
    }
    check_node(&ours.root, None);
}

/// Bounds hold, nothing is too wide, all leaves are of one depth.
fn check_node(node: &Node<u32, usize>, first: Option<u32>) {
    assert!(node.width() <= WIDTH);
    match node {
        Node::Leaf(entries) => {
            assert!(entries.iter().all(|(key, _)| first.is_none_or(|first| *key >= first)));
        }
        Node::Inner(inner) => {
            assert!(inner.children.len() > 1 || first.is_some());
            for (index, (bound, child)) in inner.children.iter().enumerate() {
                assert_eq!(child.level() + 1, inner.level);
                assert!(first.is_none_or(|first| *bound >= first));
                assert!(index == 0 || inner.children[index - 1].0 < *bound);
                check_node(child, Some(*bound));
            }
        }
    }
}

fn keys() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0u32..20_000, 0..3000)
}

proptest! {
    /// Against the map of the standard library, small keys so that they meet again.
    #[test]
    fn behaves_as_a_sorted_map(
        loaded in prop::collection::vec(0u32..300, 0..400),
        steps in prop::collection::vec((0u32..300, any::<bool>()), 0..900),
    ) {
        let mut ours = SharedMap::of(loaded.iter().map(|key| (*key, 7)));
        let mut model: Model = loaded.iter().map(|key| (*key, 7)).collect();
        let mut before = None;
        for (index, (key, add)) in steps.into_iter().enumerate() {
            if index == 200 {
                before = Some((ours.clone(), model.clone()));
            }
            if add {
                prop_assert_eq!(ours.insert(key, index), model.insert(key, index));
            } else {
                prop_assert_eq!(ours.remove(&key), model.remove(&key));
            }
            prop_assert_eq!(ours.get(&key), model.get(&key));
        }
        for (ours, model) in before.into_iter().chain([(ours, model)]) {
            check(&ours, &model);
        }
    }

    /// Against two maps of the standard library, compared key by key.
    #[test]
    fn finds_what_differs(
        first in keys(),
        then in prop::collection::vec((0u32..20_000, 0u8..3), 0..60),
        cleared in prop::option::of(0u32..20_000),
    ) {
        let old = SharedMap::of(first.iter().map(|key| (*key, 1)));
        let old_model: Model = first.iter().map(|key| (*key, 1)).collect();
        let (mut new, mut new_model) = (old.clone(), old_model.clone());
        let cleared: Vec<u32> = cleared
            .map_or_else(Vec::new, |from| old_model.range(from..).take(900).map(|(key, _)| *key).collect());
        for (key, what) in then.into_iter().chain(cleared.into_iter().map(|key| (key, 0))) {
            if what == 0 {
                new.remove(&key);
                new_model.remove(&key);
            } else {
                new.insert(key, what.into());
                new_model.insert(key, what.into());
            }
        }
        check(&new, &new_model);
        let keys = old_model.keys().chain(new_model.keys()).copied().collect::<BTreeSet<_>>();
        let expected: Vec<_> = keys
            .iter()
            .map(|key| (key, old_model.get(key), new_model.get(key)))
            .filter(|(_, old, new)| old != new)
            .collect();
        prop_assert_eq!(new == old, expected.is_empty());
        let found: Vec<_> = new.difference(&old).collect();
        prop_assert_eq!(found, expected);
    }
}

/// A change in a large map is found by way of what is above it alone.
#[test]
fn looks_at_few_nodes_for_a_small_change() {
    for entries in [1_000u32, 100_000] {
        let old = SharedMap::of((0..entries).map(|key| (key * 2, 0)));
        let levels = old.root.level() + 1;
        for (key, add) in [(entries, true), (0, true), (entries + 1, true), (entries * 2 - 2, false)] {
            let mut new = old.clone();
            if add {
                new.insert(key, 1);
            } else {
                new.remove(&key);
            }
            let mut difference = new.difference(&old);
            assert_eq!(difference.by_ref().count(), 1);
            assert!(
                difference.steps <= levels * (2 * WIDTH + 4),
                "{} steps, {levels} levels",
                difference.steps
            );
        }
    }
}

/// What a change copies is a path from the root to a leaf; copies made before share the rest.
#[test]
fn copies_few_nodes_for_a_small_change() {
    for entries in [1_000u32, 100_000] {
        let old = SharedMap::of((0..entries).map(|key| (key * 2, 0)));
        let levels = old.root.level() + 1;
        let mut shared = BTreeSet::new();
        addresses(&old.root, &mut shared);
        for (key, add) in [(entries, true), (0, true), (entries + 1, true), (entries * 2 - 2, false)] {
            let mut new = old.clone();
            if add {
                new.insert(key, 1);
            } else {
                new.remove(&key);
            }
            let mut nodes = BTreeSet::new();
            addresses(&new.root, &mut nodes);
            let copied = nodes.difference(&shared).count();
            assert!(copied <= 2 * levels, "{copied} nodes copied, {levels} levels");
        }
    }
}

fn addresses(node: &Node<u32, usize>, out: &mut BTreeSet<usize>) {
    match node {
        Node::Leaf(entries) => out.extend([Arc::as_ptr(entries).addr()]),
        Node::Inner(inner) => {
            out.insert(Arc::as_ptr(inner).addr());
            inner.children.iter().for_each(|(_, child)| addresses(child, out));
        }
    }
}
