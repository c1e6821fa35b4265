use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use crate::table::{ColumnSpec, ColumnType, Real, Shape};
use crate::{Atom, Column, Operation, Ref, Table, Value, Where};

crate::enumeration! {
    /// A mode.
    pub(crate) enum Mode {
        Secure = "secure",
    }
}

crate::table! {
    /// One column of each kind.
    pub(crate) struct Thing: "Database", "Thing" {
        /// One.
        name, NAME, "name": String;
        /// Optional.
        mode, MODE, "mode": Option<Mode>;
        /// A number.
        count, COUNT, "count": i64;
        /// A real.
        share, SHARE, "share": f64;
        /// A flag.
        on, ON, "on": bool;
        /// References.
        things, THINGS, "things": BTreeSet<Ref<Thing>>;
        /// A map.
        ids, IDS, "ids": BTreeMap<String, String>;
    }
}

fn thing() -> Thing {
    Thing {
        name: "a".into(),
        mode: Some(Mode::Secure),
        count: 3,
        share: 0.5,
        on: true,
        things: [Ref::from(Uuid::from_u128(1))].into(),
        ids: [("k".to_owned(), "v".to_owned())].into(),
    }
}

#[test]
fn columns_tell_their_cardinality() {
    let shapes: Vec<(&str, Shape)> =
        Thing::COLUMNS.iter().map(|ColumnSpec { name, shape }| (*name, *shape)).collect();
    assert_eq!(shapes[..2], [("name", Shape::One), ("mode", Shape::Optional)]);
    assert_eq!(shapes[5..], [("things", Shape::Set), ("ids", Shape::Map)]);
}

#[test]
fn a_row_is_decoded_from_what_it_is_encoded_to() {
    let row = thing();
    let columns: Vec<(&str, Value)> = row.encode().collect();
    assert_eq!(columns.len(), Thing::COLUMNS.len());
    let decoded: Thing = super::decode(columns.iter().map(|(name, value)| (*name, value)));
    assert_eq!(decoded, row);
    assert_eq!(Thing::default().encode().count(), 0, "defaults are the server's");
}

#[test]
fn columns_unknown_or_of_another_type_keep_their_default() {
    let columns = [
        ("name", Value::from("a")),
        ("novelty", Value::from(1)),
        ("mode", Value::set([Atom::from("a"), Atom::from("b")])),
        ("count", Value::from("three")),
        ("share", Value::from(2)),
        ("things", Value::map([("k".into(), "v".into())])),
        ("ids", Value::from("x")),
    ];
    let row: Thing = super::decode(columns.iter().map(|(name, value)| (*name, value)));
    assert_eq!(row, Thing { name: "a".into(), share: 2.0, ..Default::default() });
}

#[test]
fn typed_operations_in_the_words_of_the_rfc() {
    let uuid = Uuid::from_u128(7);
    let reference = ["uuid", "00000000-0000-0000-0000-000000000007"];
    let written = |operation: &Operation| serde_json::to_value(operation).unwrap();

    let update = Operation::update(Thing::NAME.eq("a"), [Thing::COUNT.set(4), Thing::MODE.set(None)]);
    assert_eq!(
        written(&update),
        json!({"op": "update", "table": "Thing", "where": [["name", "==", "a"]],
               "row": {"count": 4, "mode": ["set", []]}})
    );
    let mutate = Operation::mutate(
        Ref::<Thing>::from(uuid),
        [
            Thing::THINGS.insert([uuid]),
            Thing::COUNT.increment(-1),
            Thing::IDS.put([("k", "v")]),
            Thing::IDS.remove(["l"]),
            Thing::IDS.remove_pairs([("m", "w")]),
        ],
    );
    assert_eq!(
        written(&mutate),
        json!({"op": "mutate", "table": "Thing", "where": [["_uuid", "==", reference]], "mutations": [
            ["things", "insert", reference], ["count", "+=", -1],
            ["ids", "delete", "k"], ["ids", "insert", ["map", [["k", "v"]]]], ["ids", "delete", "l"],
            ["ids", "delete", ["map", [["m", "w"]]]]]})
    );
    let delete = Operation::delete(Thing::COUNT.gt(1).and(Thing::IDS.has("k", "v")));
    assert_eq!(
        written(&delete),
        json!({"op": "delete", "table": "Thing",
               "where": [["count", ">", 1], ["ids", "includes", ["map", [["k", "v"]]]]]})
    );
    assert_eq!(
        written(&Thing { name: "b".into(), ..Default::default() }.to_insert(uuid)),
        json!({"op": "insert", "table": "Thing", "uuid": uuid.to_string(), "row": {"name": "b"}})
    );
    assert_eq!(written(&Operation::delete(Where::<Thing>::all()))["where"], json!([]));
}

#[test]
fn a_set_to_remove_keys_from_a_map_needs_no_values() {
    // A map's keys given as a set, not as pairs: the value need not be known.
    const IDS: Column<Thing, BTreeMap<String, String>> = Thing::IDS;
    let mutations = IDS.remove(["a", "b"]).mutations;
    assert_eq!(mutations[0].value, Value::set(["a".into(), "b".into()]));
}

#[test]
fn a_string_outside_of_an_enumeration_is_kept() {
    assert_eq!(Mode::from("secure"), Mode::Secure);
    assert_eq!(Mode::from("paranoid").to_string(), "paranoid");
    let row: Thing = super::decode([("mode", &Value::from("paranoid"))].into_iter());
    assert_eq!(row.mode, Some(Mode::Unknown("paranoid".into())));
}

#[test]
fn a_set_of_reals_is_in_the_order_of_numbers() {
    let reals = BTreeSet::<Real>::from_value(&Value::set([1.into(), 0.5.into(), (-2.25).into()])).unwrap();
    assert_eq!(reals.iter().map(|real| real.0).collect::<Vec<_>>(), [-2.25, 0.5, 1.0]);
    assert_eq!(reals.to_value(), Value::set([(-2.25).into(), 0.5.into(), 1.0.into()]));
}
