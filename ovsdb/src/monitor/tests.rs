use serde_json::value::RawValue;
use uuid::Uuid;

use super::*;
use crate::notation::Value;
use crate::replica::Row;

fn column(name: &'static str, shape: Shape) -> MonitoredColumn {
    MonitoredColumn { name: name.into(), shape }
}

pub(crate) fn monitor() -> Monitor {
    let columns = vec![
        column("ids", Shape::Map),
        column("name", Shape::One),
        column("tag", Shape::Optional),
        column("trunks", Shape::Set),
    ];
    Monitor::dynamic("D", vec![MonitoredTable { name: "T".into(), columns }])
}

fn parse(text: &str) -> Result<Updates, serde_json::Error> {
    Updates::parse(&monitor(), &RawValue::from_string(text.to_owned()).unwrap())
}

const ROW: &str = "00000000-0000-0000-0000-000000000001";

fn change(text: &str) -> RowUpdate {
    let updates = parse(&format!(r#"{{"T":{{"{ROW}":{text}}}}}"#)).unwrap();
    let [table] = &updates.tables[..] else { panic!("{updates:?}") };
    let [(uuid, change)] = &table.rows[..] else { panic!("{updates:?}") };
    assert_eq!(*uuid, Uuid::from_u128(1));
    change.clone()
}

#[test]
fn every_kind_of_update() {
    let row = Row::new(vec![(1, Value::from("a")), (2, Value::from(0))]);
    assert_eq!(change(r#"{"initial":{"name":"a","tag":0}}"#), RowUpdate::Insert(row.clone()));
    assert_eq!(change(r#"{"insert":{"tag":0,"name":"a"}}"#), RowUpdate::Insert(row.clone()));
    assert_eq!(
        change(r#"{"modify":{"tag":["set",[]]}}"#),
        RowUpdate::Modify(vec![(2, Value::Set(Box::default()))])
    );
    assert_eq!(change(r#"{"delete":null}"#), RowUpdate::Delete);
    // The first version: `new` is whole, defaults written out.
    let new = r#"{"name":"a","tag":0,"ids":["map",[]],"trunks":["set",[]]}"#;
    assert_eq!(change(&format!(r#"{{"new":{new}}}"#)), RowUpdate::Replace(row.clone()));
    assert_eq!(change(&format!(r#"{{"old":{{"name":"b"}},"new":{new}}}"#)), RowUpdate::Replace(row.clone()));
    assert_eq!(change(&format!(r#"{{"new":{new},"old":{{"name":"b"}}}}"#)), RowUpdate::Replace(row));
    assert_eq!(change(r#"{"old":{"name":"b"}}"#), RowUpdate::Delete);
}

#[test]
fn unknown_tables_and_columns_are_skipped() {
    let updates = parse(&format!(r#"{{"U":{{"{ROW}":{{"insert":{{"x":[[[]]]}}}}}}}}"#)).unwrap();
    assert!(updates.tables.is_empty());
    let row = Row::new(vec![(1, Value::from("a"))]);
    assert_eq!(change(r#"{"insert":{"novelty":{"a":[null]},"name":"a"}}"#), RowUpdate::Insert(row));
}

#[test]
fn refuses_malformed_updates() {
    for text in [
        "[]",
        r#"{"T":[]}"#,
        r#"{"T":{"x":{"delete":null}}}"#,
        &format!(r#"{{"T":{{"{ROW}":{{}}}}}}"#),
        &format!(r#"{{"T":{{"{ROW}":{{"insert":{{"name":null}}}}}}}}"#),
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn narrows_to_the_servers_schema() {
    let schema = |text: &str| {
        let text = format!(r#"{{"name":"D","version":"1.0.0","tables":{{"T":{{"columns":{text}}}}}}}"#);
        monitor().within(&RawValue::from_string(text).unwrap()).unwrap()
    };
    let same = r#"{"ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "name":{"type":"string"},"tag":{"type":{"key":"integer","min":0}},
        "trunks":{"type":{"key":"integer","min":0,"max":4096}},"more":{"type":"string"}}"#;
    assert_eq!(schema(same), None);
    let narrowed = schema(r#"{"name":{"type":{"key":"string","min":0,"max":1}}}"#).unwrap();
    assert_eq!(narrowed.tables()[0].columns, [column("name", Shape::Optional)]);
}

#[test]
fn a_type_that_is_not_known_is_as_a_column_that_is_not_there() {
    let text = r#"{"tables":{"T":{"columns":{"name":{"type":"string"},"tag":{"type":"complex"}}}}}"#;
    let narrowed = monitor().within(&RawValue::from_string(text.to_owned()).unwrap()).unwrap().unwrap();
    assert_eq!(narrowed.tables()[0].columns, [column("name", Shape::One)]);
}

#[test]
fn of_all_that_a_schema_has() {
    let text = r#"{"name":"D","tables":{"T":{"columns":{
        "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "name":{"type":"string"},"tag":{"type":{"key":"integer","min":0}},
        "trunks":{"type":{"key":"integer","min":0,"max":4096}}}}}}"#;
    assert_eq!(Monitor::of_schema(&text.parse().unwrap()), monitor());
}
