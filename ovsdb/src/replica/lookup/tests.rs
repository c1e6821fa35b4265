use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::monitor::{Monitor, RowUpdate, TableUpdate, Updates};
use crate::notation::{Atom, Value};
use crate::replica::table_rows::TableRows;
use crate::replica::{Replica, Row};
use crate::{Index, Ref, Table};

crate::table! {
    /// A row that refers to others.
    pub(crate) struct Thing: "D", "T" {
        /// Unique.
        name, NAME, "name": String;
        /// Unique with `share`.
        kind, KIND, "kind": Option<i64>;
        /// A real.
        share, SHARE, "share": f64;
        /// References.
        parts, PARTS, "parts": BTreeSet<Ref<Thing>>;
        /// References by number.
        slots, SLOTS, "slots": BTreeMap<i64, Ref<Thing>>;
        /// For others.
        ids, IDS, "ids": BTreeMap<String, String>;
    }
    unique ["name"], ["kind", "share"]
}

fn initials() -> Index<Thing, String> {
    Index::by("initial", |row: &Thing| row.name.chars().next().map(String::from))
}

fn monitor() -> Monitor {
    Monitor::of::<Thing>()
        .indexed_by(Thing::KIND)
        .indexed_by(Thing::PARTS.elements())
        .indexed_by(Thing::SLOTS.values())
        .indexed_by(Thing::IDS.key("id"))
        .indexed_by(initials())
}

/// Two copies, one without indexes but those of the schema.
struct Pair([Replica; 2]);

impl Pair {
    fn new() -> Self {
        Self([monitor(), Monitor::of::<Thing>()].map(|monitor| Replica::new(Arc::new(monitor))))
    }

    fn apply(&mut self, rows: Vec<(u128, RowUpdate)>) {
        let rows: Vec<_> = rows.into_iter().map(|(uuid, change)| (Uuid::from_u128(uuid), change)).collect();
        for replica in &mut self.0 {
            replica.apply(Updates { tables: vec![TableUpdate { table: 0, rows: rows.clone() }] }).unwrap();
        }
    }

    /// Nothing is left in the indexes that is not of a row.
    #[track_caller]
    fn check_indexes(&self) {
        for replica in &self.0 {
            let (table, indexings) = (&replica.tables[0], &replica.indexings[0]);
            let rows = table.rows.iter().map(|(uuid, row)| (*uuid, row.clone())).collect();
            let mut fresh = TableRows::new(indexings.len());
            fresh.load(rows, &replica.monitor.tables()[0], indexings);
            assert!(table.indexes == fresh.indexes, "an index has what no row has, or lacks what one has");
        }
    }

    /// The same from both.
    #[track_caller]
    fn by<K: Clone>(&self, index: impl Into<Index<Thing, K>>, key: impl Into<K>) -> Vec<u128> {
        let (index, key) = (index.into(), key.into());
        assert!(self.0[0].is_indexed(&index), "{index:?}");
        let [indexed, scanned] = self.0.each_ref().map(|replica| {
            replica.by(&index, key.clone()).map(|(uuid, _)| uuid.as_u128()).collect::<Vec<_>>()
        });
        assert_eq!(indexed, scanned, "{index:?}");
        self.check_indexes();
        indexed
    }
}

fn column<T: Table>(name: &str) -> u16 {
    T::COLUMNS.iter().position(|column| column.name == name).unwrap() as u16
}

fn columns(row: &Thing) -> Vec<(u16, Value)> {
    row.encode().map(|(name, value)| (column::<Thing>(name), value)).collect()
}

fn insert(uuid: u128, row: &Thing) -> (u128, RowUpdate) {
    (uuid, RowUpdate::Insert(Row::new(columns(row))))
}

fn modify(uuid: u128, row: &Thing) -> (u128, RowUpdate) {
    (uuid, RowUpdate::Modify(columns(row)))
}

fn named(name: &str) -> Thing {
    Thing { name: name.into(), ..Default::default() }
}

fn parts(parts: impl IntoIterator<Item = u128>) -> BTreeSet<Ref<Thing>> {
    parts.into_iter().map(|part| Ref::from(Uuid::from_u128(part))).collect()
}

fn reference(uuid: u128) -> Ref<Thing> {
    Ref::from(Uuid::from_u128(uuid))
}

#[test]
fn rows_are_found_by_column() {
    let mut pair = Pair::new();
    pair.apply(vec![
        insert(1, &Thing { kind: Some(0), share: 2.0, ..named("a") }),
        insert(2, &Thing { kind: Some(0), share: 2.5, ..named("b") }),
        insert(3, &named("")),
    ]);
    assert_eq!(pair.by(Thing::NAME, "a"), [1]);
    assert_eq!(pair.by(Thing::NAME, ""), [3], "a default is a value too");
    assert_eq!(pair.by(Thing::NAME, "c"), []);
    assert_eq!(pair.by(Thing::KIND, Some(0)), [1, 2]);
    assert_eq!(pair.by(Thing::KIND, None), [3]);
    let both = (Thing::KIND, Thing::SHARE);
    assert_eq!(pair.by(both, (Some(0), 2.5)), [2]);
    assert_eq!(pair.by(both, (Some(0), 2.0)), [1]);
    assert_eq!(pair.by(both, (None, 0.0)), [3]);
    assert!(!pair.0[0].is_indexed(Thing::SHARE));
    assert_eq!(pair.0[0].by(Thing::SHARE, 2.5).count(), 1, "looked for among all");
    // Over the wire a real without fraction is an integer.
    pair.apply(vec![(3, RowUpdate::Modify(vec![(column::<Thing>("share"), Value::from(7))]))]);
    assert_eq!(pair.by(both, (None, 7.0)), [3]);
}

#[test]
fn rows_move_with_their_keys() {
    let mut pair = Pair::new();
    pair.apply(vec![insert(1, &named("a")), insert(2, &named("b"))]);
    let before = Pair(pair.0.clone());
    // Each takes the other's name, so that for a moment both have one.
    pair.apply(vec![modify(1, &named("b")), modify(2, &named("a"))]);
    assert_eq!((pair.by(Thing::NAME, "a"), pair.by(Thing::NAME, "b")), (vec![2], vec![1]));
    assert_eq!(before.by(Thing::NAME, "a"), [1], "an old copy stays as it was");
    assert_eq!(pair.by(initials(), "b"), [1]);
    pair.apply(vec![(2, RowUpdate::Delete), (1, RowUpdate::Replace(Row::new(columns(&named("cc")))))]);
    assert_eq!((pair.by(Thing::NAME, "a"), pair.by(Thing::NAME, "b")), (vec![], vec![]));
    assert_eq!((pair.by(initials(), "c"), pair.by(initials(), "b")), (vec![1], vec![]));
}

#[test]
fn rows_are_found_by_what_they_refer_to() {
    let mut pair = Pair::new();
    let slots = [(1, reference(7)), (2, reference(8)), (3, reference(8))].into();
    pair.apply(vec![insert(1, &Thing { parts: parts([7, 8]), slots, ..named("a") })]);
    pair.apply(vec![insert(2, &Thing { parts: parts([8]), ..named("b") })]);
    assert_eq!(pair.by(Thing::PARTS.elements(), reference(8)), [1, 2]);
    assert_eq!(pair.by(Thing::SLOTS.values(), reference(8)), [1]);
    // Differences of a set toggle, those of a map take away what is equal.
    let slots = [(2, reference(8))].into();
    pair.apply(vec![modify(1, &Thing { parts: parts([8, 9]), slots, ..Thing::default() })]);
    assert_eq!(pair.by(Thing::PARTS.elements(), reference(8)), [2]);
    assert_eq!(pair.by(Thing::PARTS.elements(), reference(9)), [1]);
    assert_eq!(pair.by(Thing::SLOTS.values(), reference(8)), [1], "by another key still");
    assert_eq!(pair.by(Thing::SLOTS.values(), reference(7)), [1]);
}

#[test]
fn rows_are_found_by_a_key_of_a_map() {
    let mut pair = Pair::new();
    let ids = |pairs: &[(&str, &str)]| {
        let ids = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Thing { ids, ..Thing::default() }
    };
    pair.apply(vec![insert(1, &ids(&[("id", "x"), ("j", "y")])), insert(2, &ids(&[("j", "x")]))]);
    assert_eq!(pair.by(Thing::IDS.key("id"), "x"), [1]);
    pair.apply(vec![modify(2, &ids(&[("id", "x"), ("j", "x")])), modify(1, &ids(&[("id", "z")]))]);
    assert_eq!(pair.by(Thing::IDS.key("id"), "x"), [2]);
    assert_eq!(pair.by(Thing::IDS.key("id"), "z"), [1]);
    assert_eq!(pair.by(Thing::IDS.key("id"), ""), []);
}

/// Sets and maps that are kept as trees are found in as well, and are what a small one becomes.
#[test]
fn large_values_are_as_small_ones() {
    let mut pair = Pair::new();
    let many = |range: std::ops::Range<u128>| Thing {
        parts: parts(range.clone()),
        ids: range.clone().map(|at| (format!("k{at}"), "v".to_owned())).collect(),
        slots: range.map(|at| (at as i64, reference(at))).collect(),
        ..Thing::default()
    };
    pair.apply(vec![insert(1, &Thing { ids: [("id".into(), "x".into())].into(), ..named("a") })]);
    for (difference, count) in
        [(0..200, 200), (200..3000, 3000), (1000..3000, 1000), (10..1000, 10), (0..10, 0)]
    {
        pair.apply(vec![modify(1, &many(difference))]);
        let expected = Thing { name: "a".into(), ..many(0..count) };
        for replica in &pair.0 {
            let found = replica.row::<Thing>(Uuid::from_u128(1)).unwrap();
            assert_eq!((&found.parts, &found.slots), (&expected.parts, &expected.slots));
            assert_eq!(found.ids.len() as u128, count + 1);
            assert_eq!(found.ids["id"], "x");
        }
        let fresh = Row::new(columns(pair.0[0].row(Uuid::from_u128(1)).unwrap()));
        assert!(pair.0[0].untyped_rows("T").all(|(_, row)| *row == fresh), "one form for one value");
        let last = reference(count.saturating_sub(1));
        let expected = if count == 0 { vec![] } else { vec![1] };
        assert_eq!(pair.by(Thing::PARTS.elements(), last), expected);
        assert_eq!(pair.by(Thing::SLOTS.values(), last), expected);
        assert_eq!(pair.by(Thing::PARTS.elements(), reference(count)), []);
        assert_eq!(pair.by(Thing::IDS.key("id"), "x"), [1]);
    }
}

#[test]
fn what_is_not_monitored_is_at_its_default() {
    let monitor = Monitor::of_only::<Thing>(&[Thing::NAME.any()]).indexed_by(Thing::KIND);
    let mut replica = Replica::new(Arc::new(monitor));
    let rows = vec![(Uuid::from_u128(1), RowUpdate::Insert(Row::new(vec![(0, Value::from("a"))])))];
    replica.apply(Updates { tables: vec![TableUpdate { table: 0, rows }] }).unwrap();
    assert_eq!(replica.by(Thing::KIND, None).count(), 1);
    assert_eq!(replica.by(Thing::KIND, Some(1)).count(), 0);
    assert!(
        !replica.is_indexed((Thing::KIND, Thing::SHARE)),
        "an index of the schema, but not of columns here"
    );
    assert_eq!(Atom::from("a"), replica.untyped_rows("T").next().unwrap().1.value(0).unwrap().atoms()[0]);
}
