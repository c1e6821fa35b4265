//! Our errors in the words by which the tests know them.

use flowport_ovsdb::schema::{AtomicType, Limit, Part, SchemaError, ValueError};
use serde_json::Value as Json;

use crate::text;

/// What is wrong with a schema or type, given as `json`.
pub(crate) fn schema(error: &SchemaError, json: &Json) -> String {
    let words = match error {
        SchemaError::AtomicType(name) => format!("\"{name}\" is not an atomic-type"),
        SchemaError::Missing { part, member } => {
            format!("Parsing {} failed: Required '{member}' member is missing.", parsed(part))
        }
        SchemaError::Mismatch { part, member } => {
            format!("Parsing {} failed: Type mismatch for member '{member}'.", parsed(part))
        }
        SchemaError::EmptyRange { min, max } => format!("{min} exceeds {max}"),
        SchemaError::Length { member } => format!("{member} out of valid range 0 to {}", u32::MAX),
        SchemaError::Count => "bad min or max value".to_owned(),
        SchemaError::Cardinality => "ovsdb type fails constraint checks".to_owned(),
        SchemaError::ReservedName(_) => "names beginning with \"_\" are reserved".to_owned(),
        SchemaError::Version(version) => format!("schema version \"{version}\" not in format x.y.z"),
        SchemaError::NoColumns(_) => "table must have at least one column".to_owned(),
        SchemaError::MaxRows(_) => "maxRows must be at least 1".to_owned(),
        SchemaError::Index(_) => "array of distinct column names expected".to_owned(),
        SchemaError::EmptyIndex(_) => "index must have at least one column".to_owned(),
        SchemaError::EphemeralIndex { column } => {
            format!("ephemeral columns (such as {column}) may not be indexed")
        }
        SchemaError::UnknownTable { column, side, table } => {
            format!("column {column} {side} refers to undefined table {table}")
        }
        SchemaError::Enumeration(error) => return value(error, json),
        other => other.to_string(),
    };
    syntax(json, &words)
}

fn parsed(part: &Part) -> String {
    match part {
        Part::Database => "database schema".to_owned(),
        Part::Table(name) => format!("table schema for table {name}"),
        Part::Column(name) => format!("schema for column {name}"),
        Part::Type => "ovsdb type".to_owned(),
    }
}

/// What is wrong with an atom or value, given as `json`.
pub(crate) fn value(error: &ValueError, json: &Json) -> String {
    let violated = match error {
        ValueError::Expected(AtomicType::Uuid) => return syntax(json, "expected [\"uuid\", <string>]"),
        ValueError::Expected(atomic) => return syntax(json, &format!("expected {atomic}")),
        ValueError::Duplicate(_) if json.get(0).is_some_and(|tag| tag == "map") => {
            return "ovsdb error: map contains duplicate key".to_owned();
        }
        ValueError::Duplicate(_) => return "ovsdb error: set contains duplicate".to_owned(),
        ValueError::NotAllowed { atom, allowed } => {
            let allowed: Vec<String> = allowed.atoms().iter().map(text::atom).collect();
            format!("{} is not one of the allowed values ([{}])", text::atom(atom), allowed.join(", "))
        }
        ValueError::OutOfRange { atom, min, max } => {
            let atom = text::atom(atom);
            match (min.as_ref().map(text::atom), max.as_ref().map(text::atom)) {
                (Some(min), Some(max)) => {
                    format!("{atom} is not in the valid range {min} to {max} (inclusive)")
                }
                (Some(min), None) => format!("{atom} is less than minimum allowed value {min}"),
                (None, max) => {
                    format!("{atom} is greater than maximum allowed value {}", max.unwrap_or_default())
                }
            }
        }
        ValueError::Length { text, length, limit: Limit::AtLeast(min) } => {
            format!("\"{text}\" length {length} is less than minimum allowed length {min}")
        }
        ValueError::Length { text, length, limit: Limit::AtMost(max) } => {
            format!("\"{text}\" length {length} is greater than maximum allowed length {max}")
        }
        other => return syntax(json, &other.to_string()),
    };
    format!("constraint violation: {violated}")
}

fn syntax(json: &Json, words: &str) -> String {
    format!("syntax \"{}\": syntax error: {words}", text::json(json))
}
