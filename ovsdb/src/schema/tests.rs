use serde_json::{Value as Json, json};

use super::*;
use crate::notation::{Atom, Value};
use crate::table::Shape;

fn database(tables: Json) -> Result<DatabaseSchema, SchemaError> {
    DatabaseSchema::from_json(&json!({"name": "Test", "version": "1.2.3", "tables": tables}))
}

fn type_of(json: Json) -> Type {
    Type::from_json(&json).unwrap()
}

/// Every schema here in the form that it is written in.
#[test]
fn what_is_read_is_written_again() {
    let tables = json!({
        "A": {
            "columns": {
                "name": {"type": "string", "mutable": false},
                "kind": {"type": {"key": {"type": "string", "enum": ["set", ["a", "b"]]}}},
                "tag": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 4095}, "min": 0}},
                "load": {"type": {"key": {"type": "real", "minReal": 0.5}}, "ephemeral": true},
                "mac": {"type": {"key": {"type": "string", "minLength": 2, "maxLength": 17}, "max": 3}},
                "ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
                "bs": {"type": {"key": {"type": "uuid", "refTable": "B"}, "min": 0, "max": "unlimited"}},
                "peer": {"type": {"key": {"type": "uuid", "refTable": "A", "refType": "weak"}, "min": 0}},
            },
            "indexes": [["name"], ["kind", "tag"]],
            "isRoot": true,
            "maxRows": 7,
        },
        "B": {"columns": {"x": {"type": "uuid"}}, "mutable": false},
    });
    let schema = database(tables.clone()).unwrap();
    let written = serde_json::to_value(&schema).unwrap();
    assert_eq!(written, json!({"name": "Test", "version": "1.2.3", "tables": tables}));
    assert_eq!(DatabaseSchema::from_json(&written).unwrap(), schema);
    assert_eq!(schema.column("A", "bs").unwrap().column_type.key().reference(), Some(("B", RefKind::Strong)));
    assert_eq!(schema.column("A", "none"), None);
}

#[test]
fn the_schema_of_open_vswitch_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ovsdb-schema/schemas/vswitch.ovsschema");
    let schema: DatabaseSchema = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let written = serde_json::to_string(&schema).unwrap();
    assert!(written.parse() == Ok(schema.clone()), "{written}");
    assert_eq!(schema.column("Bridge", "ports").unwrap().column_type.shape(), Shape::Set);
}

#[test]
fn what_the_server_would_change_is_changed_alike() {
    let reference = |table: &str| json!({"key": {"type": "uuid", "refTable": table}});
    let weak = json!({"key": {"type": "uuid", "refTable": "B", "refType": "weak"}});
    let schema = database(json!({
        "A": {"isRoot": true, "columns": {
            "to_root": {"type": reference("A"), "ephemeral": true},
            "to_other": {"type": reference("B"), "ephemeral": true},
            "weak": {"type": weak, "mutable": false},
        }},
        "B": {"columns": {"x": {"type": "integer"}}},
    }))
    .unwrap();
    assert!(schema.column("A", "to_root").unwrap().ephemeral);
    assert!(!schema.column("A", "to_other").unwrap().ephemeral, "its rows would be gone after a restart");
    assert!(schema.column("A", "weak").unwrap().mutable, "it changes when its row goes");

    let old = database(json!({"A": {"columns": {"x": {"type": "integer"}}}})).unwrap();
    assert!(old.tables["A"].is_root, "older than the difference");
}

#[test]
fn tells_what_is_wrong_with_a_schema() {
    let column = |column: Json| database(json!({"A": {"columns": {"x": column}}})).unwrap_err();
    let key = |key: Json| column(json!({"type": {"key": key}})).to_string();
    assert_eq!(key(json!("void")), r#"there is no atomic type "void""#);
    assert_eq!(
        key(json!({"type": "integer", "minInteger": 2, "maxInteger": 1})),
        "minInteger is greater than maxInteger"
    );
    assert_eq!(
        key(json!({"type": "string", "minLength": 2, "maxLength": 1})),
        "minLength is greater than maxLength"
    );
    assert_eq!(
        key(json!({"type": "string", "maxLength": -1})),
        "maxLength is not a number from 0 to 4294967295"
    );
    assert_eq!(
        key(json!({"type": "uuid", "refTable": "a-b"})),
        r#"member "refTable" of a type is of the wrong kind"#
    );
    assert_eq!(key(json!({"type": "integer", "enum": "a"})), "enumeration: expected integer");
    assert_eq!(column(json!({})).to_string(), r#"column x lacks member "type""#);
    assert_eq!(column(json!({"type": {"key": "real", "min": 2, "max": 5}})), SchemaError::Cardinality);
    assert_eq!(column(json!({"type": {"key": "real", "max": 0}})), SchemaError::Cardinality);
    assert_eq!(column(json!({"type": {"key": "real", "max": -1}})), SchemaError::Count);
    assert_eq!(
        column(json!({"type": {"key": "integer", "value": {"type": "uuid", "refTable": "C"}}})).to_string(),
        "the values of column x refer to table C, which is not there"
    );

    let table = |table: Json| database(json!({"A": table})).unwrap_err().to_string();
    let columns = json!({"x": {"type": "integer"}, "e": {"type": "integer", "ephemeral": true}});
    let index = |index: Json| table(json!({"columns": columns, "indexes": [index]}));
    assert_eq!(table(json!([])), "table A is not a JSON object");
    assert_eq!(table(json!({"columns": {}})), "table A has no columns");
    assert_eq!(table(json!({"columns": columns, "maxRows": 0})), "maxRows of table A is less than 1");
    assert_eq!(index(json!([])), "an index of table A has no columns");
    for malformed in [json!(["x", "x"]), json!(["y"]), json!([0]), json!("x")] {
        assert_eq!(index(malformed), "an index of table A is not a list of different columns of it");
    }
    assert_eq!(index(json!(["x", "e"])), "column e is ephemeral and cannot be in an index");
    let version = DatabaseSchema::from_json(&json!({"name": "A", "version": "1.2", "tables": {}}));
    assert_eq!(version, Err(SchemaError::Version("1.2".to_owned())));
    assert!(matches!("{".parse::<DatabaseSchema>(), Err(SchemaError::Json(_))));
}

#[test]
fn values_of_each_cardinality() {
    let one = type_of(json!("integer"));
    let optional = type_of(json!({"key": "integer", "min": 0}));
    let set = type_of(json!({"key": "real", "min": 0, "max": 3}));
    let map = type_of(json!({"key": "string", "value": "boolean", "min": 0, "max": "unlimited"}));
    assert_eq!(
        [&one, &optional, &set, &map].map(Type::shape),
        [Shape::One, Shape::Optional, Shape::Set, Shape::Map]
    );

    assert_eq!(one.value_from_json(&json!(["set", [1]])), Ok(Value::from(1)));
    assert_eq!(one.value_from_json(&json!(1e3)), Ok(Value::from(1000)));
    assert_eq!(optional.value_from_json(&json!(["set", []])), Ok(Value::set([])));
    assert_eq!(set.value_from_json(&json!(1)), Ok(Value::from(1.0)));
    let sorted = Value::set([Atom::from(0.0), Atom::from(1.5)]);
    assert_eq!(set.value_from_json(&json!(["set", [1.5, 0]])), Ok(sorted));
    let pairs = Value::map([("k".into(), true.into())]);
    assert_eq!(map.value_from_json(&json!(["map", [["k", true]]])), Ok(pairs.clone()));

    for (kind, default) in [(&one, Value::from(0)), (&optional, Value::set([])), (&map, Value::map([]))] {
        assert_eq!(kind.default_value(), default);
        assert!(default.is_default(kind.shape()));
        assert_eq!(kind.check(&default), Ok(()));
    }
    assert_eq!(map.check(&pairs), Ok(()));
    assert_eq!(map.check(&Value::set([])), Ok(()));
    assert!(map.check(&Value::from("k")).is_err());
    assert!(set.check(&pairs).is_err());
    assert_eq!(set.check(&Value::from(1)), Ok(()), "a whole number is a real too");
}

#[test]
fn values_that_are_refused() {
    let check = |kind: Json, value: Json| type_of(kind).value_from_json(&value).unwrap_err().to_string();
    assert_eq!(check(json!("boolean"), json!("true")), "expected boolean");
    assert_eq!(check(json!("integer"), json!(1.5)), "expected integer");
    assert_eq!(check(json!("uuid"), json!(["named-uuid", "x"])), "expected uuid");
    assert_eq!(check(json!({"key": "integer", "max": 2}), json!(["set", [1, 1]])), "1 is there twice");
    assert_eq!(check(json!({"key": "real", "max": 2}), json!(["set", [0.0, -0.0]])), "0 is there twice");
    assert_eq!(
        check(json!({"key": "integer", "max": 2}), json!(["set", [1, 2, 3]])),
        "3 elements where 1 to 2 are allowed"
    );
    let map = json!({"key": "integer", "value": "integer", "max": 2});
    assert_eq!(check(map.clone(), json!(["map", [[1, 2], [1, 3]]])), "1 is there twice");
    assert_eq!(check(map.clone(), json!(1)), r#"expected ["map", [[<atom>, <atom>], ...]]"#);
    assert_eq!(
        check(json!({"key": {"type": "string", "enum": ["set", ["a"]]}}), json!("b")),
        r#""b" is not among the values allowed"#
    );
    let limited = json!({"key": {"type": "real", "minReal": -1.5, "maxReal": 2}});
    assert_eq!(check(limited, json!(3)), "3 is not within -1.5 to 2");
    assert_eq!(check(json!({"key": {"type": "integer", "minInteger": 5}}), json!(4)), "4 is less than 5");
    let short = json!({"key": {"type": "string", "minLength": 2}});
    assert_eq!(check(short, json!("\u{1d11e}")), "\"\u{1d11e}\" has 1 characters: at least 2 are allowed");

    let tag = type_of(json!({"key": {"type": "integer", "maxInteger": 4095}, "min": 0}));
    assert!(tag.check(&Value::from(4096)).is_err());
    assert!(tag.check(&Value::set([1.into(), 2.into()])).is_err());
}
