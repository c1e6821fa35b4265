use super::*;
use crate::monitor::{RowUpdate, TableUpdate};
use crate::notation::Value;

crate::table! {
    /// A table with a name.
    pub(crate) struct Named: "D", "T" {
        /// The name.
        name, NAME, "name": String;
    }
}

crate::table! {
    /// The same table, otherwise.
    pub(crate) struct AlsoNamed: "D", "T" {
        /// The name, perhaps.
        name, NAME, "name": Option<String>;
    }
}

fn replica() -> Replica {
    Replica::new(Arc::new(Monitor::of::<Named>()))
}

fn updates(rows: Vec<(u128, RowUpdate)>) -> Updates {
    let rows = rows.into_iter().map(|(uuid, change)| (Uuid::from_u128(uuid), change)).collect();
    Updates { tables: vec![TableUpdate { table: 0, rows }] }
}

fn named(name: &str) -> Row {
    Row::new(vec![(0, Value::from(name))])
}

#[test]
fn an_update_makes_a_new_replica_and_leaves_the_old() {
    let mut now = replica();
    now.apply(updates(vec![(2, RowUpdate::Insert(named("b"))), (1, RowUpdate::Insert(named("a")))])).unwrap();
    let before = now.clone();
    now.apply(updates(vec![(1, RowUpdate::Modify(vec![(0, Value::from("z"))])), (2, RowUpdate::Delete)]))
        .unwrap();
    let names =
        |replica: &Replica| replica.rows::<Named>().map(|(_, row)| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), ["a", "b"]);
    assert_eq!(names(&now), ["z"]);
    assert!(now.serial() > before.serial());
}

#[test]
fn a_column_back_at_its_default_is_as_if_never_written() {
    let mut replica = replica();
    replica.apply(updates(vec![(1, RowUpdate::Insert(Row::new(Vec::new())))])).unwrap();
    let before = replica.clone();
    for name in ["a", ""] {
        replica.apply(updates(vec![(1, RowUpdate::Modify(vec![(0, Value::from(name))]))])).unwrap();
    }
    assert_eq!(replica, before);
}

#[test]
fn an_update_that_does_not_fit_is_an_error() {
    for change in [RowUpdate::Delete, RowUpdate::Modify(Vec::new())] {
        let error = replica().apply(updates(vec![(1, change)])).unwrap_err();
        assert!(matches!(error, ReplicaError::UnknownRow { .. }), "{error}");
    }
    // Twice in one dump.
    let twice = updates(vec![(1, RowUpdate::Insert(named("a"))), (1, RowUpdate::Insert(named("b")))]);
    let error = replica().apply(twice).unwrap_err();
    assert!(matches!(error, ReplicaError::KnownRow { .. }), "{error}");
    let mut replica = replica();
    replica.apply(updates(vec![(1, RowUpdate::Insert(named("a")))])).unwrap();
    replica.apply(updates(vec![(1, RowUpdate::Replace(named("b")))])).unwrap();
    let error = replica.apply(updates(vec![(1, RowUpdate::Insert(named("c")))])).unwrap_err();
    assert!(matches!(error, ReplicaError::KnownRow { .. }), "{error}");
}

#[test]
fn a_row_may_be_read_as_several_types() {
    let mut replica = replica();
    replica.apply(updates(vec![(1, RowUpdate::Insert(named("a")))])).unwrap();
    let uuid = Uuid::from_u128(1);
    for _ in 0..2 {
        assert_eq!(replica.row::<Named>(uuid).unwrap().name, "a");
        assert_eq!(replica.row::<AlsoNamed>(uuid).unwrap().name.as_deref(), Some("a"));
    }
    let first: *const Named = replica.row(uuid).unwrap();
    assert!(std::ptr::eq(first, replica.row(uuid).unwrap()), "decoded once");
}

#[test]
fn beginning_again_forgets_what_the_dump_does_not_have() {
    let mut old = replica();
    old.apply(updates(vec![(1, RowUpdate::Insert(named("a")))])).unwrap();
    let dump = || updates(vec![(2, RowUpdate::Insert(named("b")))]);
    let dumped = old.begin_again(old.monitor.clone(), dump(), false).unwrap();
    assert_eq!(dumped.rows::<Named>().map(|(uuid, _)| uuid.as_u128()).collect::<Vec<_>>(), [2]);
    let resumed = old.begin_again(old.monitor.clone(), dump(), true).unwrap();
    assert_eq!(resumed.rows::<Named>().map(|(uuid, _)| uuid.as_u128()).collect::<Vec<_>>(), [1, 2]);
    assert!(dumped.serial() > old.serial());
}
