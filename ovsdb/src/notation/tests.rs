use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::table::Shape;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn values_in_the_words_of_the_rfc() {
    let uuid = Uuid::from_u128(0x550e8400_e29b_41d4_a716_446655440000);
    assert_eq!(read("5"), Value::from(5));
    assert_eq!(read("-0.5"), Value::from(-0.5));
    assert_eq!(read("true"), Value::from(true));
    assert_eq!(read(r#""a\"b""#), Value::from("a\"b"));
    assert_eq!(read(r#"["uuid","550e8400-e29b-41d4-a716-446655440000"]"#), Value::from(uuid));
    assert_eq!(read(r#"["named-uuid","row0"]"#), Value::Atom(Atom::NamedUuid("row0".into())));
    assert_eq!(read(r#"["set",[]]"#), Value::Set(Box::default()));
    assert_eq!(read(r#"["set",["x"]]"#), read(r#""x""#));
    assert_eq!(read(r#"["set",[3,1,2,3]]"#), Value::set([1.into(), 2.into(), 3.into()]));
    assert_eq!(
        read(r#"["map",[["b",["uuid","550e8400-e29b-41d4-a716-446655440000"]],["a",1]]]"#),
        Value::map([("a".into(), 1.into()), ("b".into(), uuid.into())])
    );
}

#[test]
fn refuses_what_is_no_value() {
    for text in [
        "null",
        "{}",
        "[]",
        r#"["set"]"#,
        r#"["set",[],[]]"#,
        r#"["set",[["set",[]]]]"#,
        r#"["map",[["a"]]]"#,
        r#"["map",[["a","b","c"]]]"#,
        r#"["uuid","x"]"#,
        r#"["uuid"]"#,
        r#"["other",1]"#,
        "9223372036854775808",
    ] {
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn operations_in_the_words_of_the_rfc() {
    let condition = Condition { column: "name".into(), function: Function::Eq, value: "br0".into() };
    let uuid = Uuid::from_u128(1);
    let row = RowValues([("name".into(), Value::from("br0"))].into());
    let written = |operation: &Operation| serde_json::to_value(operation).unwrap();
    assert_eq!(
        written(&Operation::Insert {
            table: "T".into(),
            uuid: Some(uuid),
            uuid_name: Some("r".into()),
            row: row.clone()
        }),
        json!({"op": "insert", "table": "T", "uuid": uuid.to_string(), "uuid-name": "r", "row": {"name": "br0"}})
    );
    assert_eq!(
        written(&Operation::Mutate {
            table: "T".into(),
            conditions: vec![condition.clone()],
            mutations: vec![Mutation {
                column: "ports".into(),
                mutator: Mutator::Insert,
                value: Value::set([Atom::Uuid(uuid)])
            }],
        }),
        json!({"op": "mutate", "table": "T", "where": [["name", "==", "br0"]],
               "mutations": [["ports", "insert", ["uuid", uuid.to_string()]]]})
    );
    assert_eq!(
        written(&Operation::Wait {
            table: "T".into(),
            conditions: vec![condition],
            columns: vec!["name".into()],
            until: Until::NotEqual,
            rows: vec![row],
            timeout: Some(0),
        }),
        json!({"op": "wait", "table": "T", "where": [["name", "==", "br0"]], "columns": ["name"],
               "until": "!=", "rows": [{"name": "br0"}], "timeout": 0})
    );
    assert_eq!(written(&Operation::Abort), json!({"op": "abort"}));
    assert_eq!(written(&Operation::Assert { lock: "l".into() }), json!({"op": "assert", "lock": "l"}));
    assert_eq!(written(&Operation::Commit { durable: true }), json!({"op": "commit", "durable": true}));
    let all = Operation::Select { table: "T".into(), conditions: Vec::new(), columns: None };
    assert_eq!(written(&all), json!({"op": "select", "table": "T", "where": []}));
}

fn results(text: &str, operations: usize) -> Result<Committed, TransactError> {
    let raw = serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    parse_results(Some(&raw), operations)
}

#[test]
fn the_failed_operation_is_named() {
    let failed = results(r#"[{"count":1},{"error":"not owner","details":"d"},null]"#, 3).unwrap_err();
    assert!(matches!(&failed, TransactError::NotOwner(failed) if failed.operation == Some(1)), "{failed:?}");

    let deferred = r#"[{"uuid":["uuid","550e8400-e29b-41d4-a716-446655440000"]},
        {"error":"constraint violation","details":"Transaction causes multiple rows in \"Flow_Sample_Collector_Set\" table to have identical values (1 and x for index on columns) for index on columns \"id\" and \"bridge\".  First row, with UUID \"u\", was inserted."}]"#;
    let failed = results(deferred, 1).unwrap_err();
    let TransactError::Constraint { failed, table, columns } = failed else { panic!("{failed:?}") };
    assert_eq!((failed.operation, table.as_deref()), (None, Some("Flow_Sample_Collector_Set")));
    assert_eq!(columns, ["id", "bridge"]);
}

#[test]
fn refuses_results_that_do_not_match() {
    for text in ["null", "[]", "{}", "[null]", r#"[{"count":"x"}]"#] {
        assert!(matches!(results(text, 1), Err(TransactError::Malformed(_))), "{text}");
    }
}

fn atom() -> impl Strategy<Value = Atom> {
    prop_oneof![
        any::<i64>().prop_map(Atom::from),
        any::<bool>().prop_map(Atom::from),
        (-1e9..1e9f64).prop_map(|real| Atom::from(real + 0.5)),
        any::<String>().prop_map(Atom::from),
        any::<u128>().prop_map(|bits| Atom::Uuid(Uuid::from_u128(bits))),
    ]
}

fn integers() -> impl Strategy<Value = Value> {
    prop::collection::vec(0..9i64, 0..9).prop_map(|set| Value::set(set.into_iter().map(Atom::from)))
}

fn pairs() -> impl Strategy<Value = Value> {
    prop::collection::vec((0..6i64, 0..3i64), 0..9)
        .prop_map(|map| Value::map(map.into_iter().map(|(key, value)| (key.into(), value.into()))))
}

/// What the server would send as the difference of two maps.
fn map_difference(old: &Value, new: &Value) -> Value {
    let removed = old.pairs().iter().filter(|(key, _)| new.pairs().iter().all(|pair| pair.0 != *key));
    let changed = new.pairs().iter().filter(|pair| !old.pairs().contains(pair));
    Value::map(removed.chain(changed).cloned())
}

proptest! {
    #[test]
    fn values_survive_the_wire(atoms in prop::collection::vec(atom(), 0..6), keys in prop::collection::vec((atom(), atom()), 0..6)) {
        for value in [Value::set(atoms), Value::map(keys)] {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(read(&text), value);
        }
    }

    #[test]
    fn differences_lead_to_the_new_value(old in integers(), new in integers(), from in pairs(), to in pairs()) {
        let difference = Value::set(
            old.atoms().iter().filter(|atom| !new.atoms().contains(atom))
                .chain(new.atoms().iter().filter(|atom| !old.atoms().contains(atom))).cloned(),
        );
        prop_assert_eq!(Value::with_difference(Some(&old), difference, Shape::Set), new.clone());
        prop_assert_eq!(Value::with_difference(Some(&old), new.clone(), Shape::Optional), new);
        let difference = map_difference(&from, &to);
        prop_assert_eq!(Value::with_difference(Some(&from), difference, Shape::Map), to);
    }
}

#[test]
fn conditions_are_read_as_they_are_written() {
    for text in [r#"["i","==",1]"#, r#"["ids","includes",["map",[["k","v"]]]]"#, r#"["r","<=",0.5]"#] {
        let condition: Condition = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&condition).unwrap(), text);
    }
    assert!(serde_json::from_str::<Condition>(r#"["i","=",1]"#).is_err());
}

#[test]
fn minus_zero_is_zero() {
    assert_eq!(Atom::from(-0.0), Atom::from(0.0));
    assert_eq!(read("-0.0"), Value::from(0.0));
}
