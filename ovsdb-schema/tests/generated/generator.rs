//! Rust out of a `<database-schema>` (RFC 7047 section 3.2).

use std::fmt::Write;

use serde_json::{Map, Value};

/// The text of the module for one database.
pub(crate) fn module(schema: &Value, file: &str) -> String {
    let database = text(schema, "name");
    let mut tables = String::new();
    let mut enumerations = String::new();
    for (name, table) in object(schema, "tables") {
        write_table(&mut tables, &mut enumerations, database, name, table);
    }
    let map = if tables.contains("BTreeMap<") { "BTreeMap" } else { "" };
    let set = if tables.contains("BTreeSet<") { "BTreeSet" } else { "" };
    let collections: Vec<&str> = [map, set].into_iter().filter(|name| !name.is_empty()).collect();
    let collections = match collections[..] {
        [one] => one.to_owned(),
        _ => format!("{{{}}}", collections.join(", ")),
    };
    let reference = if tables.contains("Ref<") { "\nuse flowport_ovsdb::Ref;\n" } else { "" };
    format!(
        "//! Tables of database `{database}`, schema version {}.\n\
         //!\n\
         //! Generated from `schemas/{file}`. Do not edit.\n\n\
         use std::collections::{collections};\n{reference}{tables}{enumerations}",
        text(schema, "version"),
    )
}

fn write_table(out: &mut String, enumerations: &mut String, database: &str, name: &str, table: &Value) {
    let table_type = type_name(name);
    let mut columns: Vec<_> = object(table, "columns").collect();
    columns.sort_by_key(|(column, _)| column.as_str());
    write!(out, "\nflowport_ovsdb::table! {{\n    /// Table `{name}`.{}\n", table_notes(table)).unwrap();
    writeln!(out, "    pub struct {table_type}: \"{database}\", \"{name}\" {{").unwrap();
    for (column, definition) in columns {
        let kind = &definition["type"];
        let rust_type = column_type(enumerations, &table_type, column, kind);
        let field = if column == "type" { "type_" } else { column };
        writeln!(out, "        /// {}", column_doc(column, definition)).unwrap();
        writeln!(out, "        {field}, {}, \"{column}\": {rust_type};", column.to_uppercase()).unwrap();
    }
    out.push_str("    }\n");
    let indexes: Vec<String> = indexes(table).map(|columns| format!("{columns:?}")).collect();
    if !indexes.is_empty() {
        writeln!(out, "    unique {}", indexes.join(", ")).unwrap();
    }
    out.push_str("}\n");
}

/// The columns of each unique index.
fn indexes(table: &Value) -> impl Iterator<Item = Vec<&str>> {
    let indexes = table["indexes"].as_array().into_iter().flatten();
    indexes.map(|columns| columns.as_array().into_iter().flatten().map(as_text).collect())
}

fn table_notes(table: &Value) -> String {
    let mut notes = String::new();
    if table["isRoot"] != Value::Bool(true) {
        notes.push_str(" A row goes when nothing refers to it.");
    }
    for index in indexes(table) {
        let columns: Vec<String> = index.iter().map(|column| format!("`{column}`")).collect();
        write!(notes, " Unique: {}.", columns.join(", ")).unwrap();
    }
    notes
}

fn column_type(enumerations: &mut String, table: &str, column: &str, kind: &Value) -> String {
    let key = atom_type(enumerations, table, column, kind.get("key").unwrap_or(kind));
    let min = kind.get("min").and_then(Value::as_u64).unwrap_or(1);
    let max = kind.get("max").map_or(Some(1), Value::as_u64);
    let value = kind.get("value").map(|value| atom_type(enumerations, table, column, value));
    match (value, min, max) {
        (Some(_), _, Some(1)) => panic!("{table}.{column}: a map of at most one pair is not supported"),
        (Some(value), _, _) => format!("BTreeMap<{key}, {value}>"),
        (None, 0, Some(1)) => format!("Option<{key}>"),
        (None, _, Some(1)) => key,
        (None, _, _) => format!("BTreeSet<{key}>"),
    }
}

fn atom_type(enumerations: &mut String, table: &str, column: &str, base: &Value) -> String {
    if let Some(strings) = base.get("enum").filter(|_| base["type"] == "string") {
        let name = format!("{table}{}", type_name(column));
        write_enumeration(enumerations, &name, &format!("`{column}` of [`{table}`]"), strings);
        return name;
    }
    if let Some(target) = base.get("refTable") {
        return format!("Ref<{}>", type_name(as_text(target)));
    }
    let atom = if base.is_string() { as_text(base) } else { text(base, "type") };
    match atom {
        "integer" => "i64",
        "real" => "f64",
        "boolean" => "bool",
        "string" => "String",
        "uuid" => "flowport_ovsdb::Uuid",
        other => panic!("{table}.{column}: unknown type {other}"),
    }
    .to_owned()
}

/// `["set", [string...]]`, or one string.
fn write_enumeration(out: &mut String, name: &str, whose: &str, strings: &Value) {
    let strings = match strings.as_array() {
        Some(pair) => pair[1].as_array().expect("enum is a set").iter().map(as_text).collect(),
        None => vec![as_text(strings)],
    };
    write!(out, "\nflowport_ovsdb::enumeration! {{\n    /// Values of {whose}.\n").unwrap();
    writeln!(out, "    pub enum {name} {{").unwrap();
    for string in strings {
        writeln!(out, "        {} = \"{string}\",", type_name(string)).unwrap();
    }
    out.push_str("    }\n}\n");
}

/// One sentence of what the Rust type does not say.
fn column_doc(column: &str, definition: &Value) -> String {
    let kind = &definition["type"];
    let mut doc = format!("`{column}`");
    let mut notes: Vec<String> = Vec::new();
    if let Some(range) = range(kind.get("key").unwrap_or(kind)) {
        notes.push(range);
    }
    if let Some(range) = kind.get("value").and_then(range) {
        notes.push(format!("values {range}"));
    }
    match (kind.get("min").and_then(Value::as_u64), kind.get("max").and_then(Value::as_u64)) {
        (Some(1), None) if kind.get("max").is_some() => notes.push("at least one".to_owned()),
        (_, Some(max)) if max > 1 => notes.push(format!("at most {max}")),
        _ => {}
    }
    let bases = [kind.get("key"), kind.get("value")].into_iter().flatten();
    if bases.clone().any(|base| base.get("refType").is_some_and(|kind| kind == "weak")) {
        notes.push("weak".to_owned());
    }
    if definition["mutable"] == Value::Bool(false) {
        notes.push("set once, at insert".to_owned());
    }
    if definition["ephemeral"] == Value::Bool(true) {
        notes.push("not kept over a restart of the server".to_owned());
    }
    if !notes.is_empty() {
        write!(doc, ": {}", notes.join("; ")).unwrap();
    }
    doc.push('.');
    doc
}

fn range(base: &Value) -> Option<String> {
    let bound = |name| base.get(name).and_then(Value::as_i64);
    match (bound("minInteger"), bound("maxInteger")) {
        (Some(min), Some(max)) => Some(format!("{min} to {max}")),
        (Some(min), None) => Some(format!("{min} or more")),
        (None, Some(max)) => Some(format!("{max} or less")),
        (None, None) => None,
    }
}

/// `Flow_Table` -> `FlowTable`, `sFlow` -> `SFlow`, `IPFIX` -> `Ipfix`, `balance-tcp` -> `BalanceTcp`.
fn type_name(name: &str) -> String {
    let mut out = String::new();
    for part in name.split(['_', '-', ' ']) {
        let shouted = part.chars().count() > 1 && !part.chars().any(char::is_lowercase);
        let rest: String = part.chars().skip(1).collect();
        out.extend(part.chars().next().into_iter().flat_map(char::to_uppercase));
        out.push_str(&if shouted { rest.to_lowercase() } else { rest });
    }
    out
}

fn object<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    value.get(member).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    as_text(&value[member])
}

fn as_text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("expected a string, found {value}"))
}
