//! Database schemas (RFC 7047 section 3.2): what a server says of its tables, or an `.ovsschema` file; and values
//! checked against the type of their column before a server has to refuse them.
//!
//! ```
//! use flowport_ovsdb::schema::DatabaseSchema;
//! use serde_json::json;
//!
//! let schema: DatabaseSchema = r#"{
//!     "name": "Example", "version": "1.0.0",
//!     "tables": {"Port": {"columns": {
//!         "tag": {"type": {"key": {"type": "integer", "maxInteger": 4095}, "min": 0}}
//!     }}}
//! }"#.parse()?;
//! let tag = &schema.tables["Port"].columns["tag"];
//! assert!(tag.column_type.value_from_json(&json!(10)).is_ok());
//! let refused = tag.column_type.value_from_json(&json!(4096)).unwrap_err();
//! assert_eq!(refused.to_string(), "4096 is more than 4095");
//! # Ok::<(), flowport_ovsdb::schema::SchemaError>(())
//! ```

mod error;
mod parse;
mod types;
mod value;
mod write;

use std::collections::BTreeMap;

pub use error::{Part, SchemaError};
pub use types::{AtomicType, BaseType, Constraint, RefKind, Type};
pub use value::{Limit, ValueError};

/// A `<database-schema>`.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseSchema {
    /// Name of the database.
    pub name: String,
    /// Version as `x.y.z`; schemas from before RFC 7047 have none.
    pub version: Option<String>,
    /// Checksum that the schema's authors keep; the server does not look at it.
    pub checksum: Option<String>,
    /// Tables by name.
    pub tables: BTreeMap<String, TableSchema>,
}

/// A `<table-schema>`.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSchema {
    /// Columns by name, without `_uuid` and `_version`.
    pub columns: BTreeMap<String, ColumnSchema>,
    /// Whether rows may be changed after they were inserted.
    pub mutable: bool,
    /// How many rows there may be; `None` for any number.
    pub max_rows: Option<u64>,
    /// Whether a row stays although nothing refers to it.
    pub is_root: bool,
    /// Sets of columns, each of which is unique among the rows.
    pub indexes: Vec<Vec<String>>,
}

/// A `<column-schema>`.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSchema {
    /// Member `type`.
    pub column_type: Type,
    /// Whether its values are lost when the server restarts.
    pub ephemeral: bool,
    /// Whether it may be changed after the row was inserted.
    pub mutable: bool,
}

impl DatabaseSchema {
    /// The column of this name in the table of that name.
    pub fn column(&self, table: &str, column: &str) -> Option<&ColumnSchema> {
        self.tables.get(table)?.columns.get(column)
    }
}

#[cfg(test)]
mod tests;
