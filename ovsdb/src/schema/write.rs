use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{AtomicType, BaseType, ColumnSchema, Constraint, DatabaseSchema, RefKind, TableSchema, Type};

impl Serialize for DatabaseSchema {
    /// The `<database-schema>`, as `convert` takes it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all_roots = self.tables.values().all(|table| table.is_root);
        let tables: BTreeMap<&str, Table<'_>> =
            self.tables.iter().map(|(name, table)| (name.as_str(), Table { table, all_roots })).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        if let Some(version) = &self.version {
            map.serialize_entry("version", version)?;
        }
        if let Some(checksum) = &self.checksum {
            map.serialize_entry("cksum", checksum)?;
        }
        map.serialize_entry("tables", &tables)?;
        map.end()
    }
}

impl Serialize for TableSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Table { table: self, all_roots: false }.serialize(serializer)
    }
}

struct Table<'a> {
    table: &'a TableSchema,
    /// Where all tables are roots none has to say so, and servers older than that understand it.
    all_roots: bool,
}

impl Serialize for Table<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("columns", &self.table.columns)?;
        if !self.table.mutable {
            map.serialize_entry("mutable", &false)?;
        }
        if let Some(rows) = self.table.max_rows {
            map.serialize_entry("maxRows", &rows)?;
        }
        if self.table.is_root && !self.all_roots {
            map.serialize_entry("isRoot", &true)?;
        }
        if !self.table.indexes.is_empty() {
            map.serialize_entry("indexes", &self.table.indexes)?;
        }
        map.end()
    }
}

impl Serialize for ColumnSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.column_type)?;
        if self.ephemeral {
            map.serialize_entry("ephemeral", &true)?;
        }
        if !self.mutable {
            map.serialize_entry("mutable", &false)?;
        }
        map.end()
    }
}

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_one = self.value.is_none() && self.min == 1 && self.max == Some(1);
        if is_one && self.key.constraint == Constraint::None {
            return self.key.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", &self.key)?;
        if let Some(value) = &self.value {
            map.serialize_entry("value", value)?;
        }
        if self.min != 1 {
            map.serialize_entry("min", &self.min)?;
        }
        match self.max {
            None => map.serialize_entry("max", "unlimited")?,
            Some(1) => {}
            Some(max) => map.serialize_entry("max", &max)?,
        }
        map.end()
    }
}

impl Serialize for BaseType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.constraint == Constraint::None {
            return self.atomic.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.atomic)?;
        match &self.constraint {
            Constraint::None => {}
            Constraint::Enumeration(values) => map.serialize_entry("enum", values)?,
            Constraint::Integer { min, max } => {
                limit(&mut map, "minInteger", min.as_ref())?;
                limit(&mut map, "maxInteger", max.as_ref())?;
            }
            Constraint::Real { min, max } => {
                limit(&mut map, "minReal", min.as_ref())?;
                limit(&mut map, "maxReal", max.as_ref())?;
            }
            Constraint::Length { min, max } => {
                limit(&mut map, "minLength", Some(min).filter(|min| **min != 0))?;
                limit(&mut map, "maxLength", max.as_ref())?;
            }
            Constraint::Reference { table, kind } => {
                map.serialize_entry("refTable", table)?;
                if *kind == RefKind::Weak {
                    map.serialize_entry("refType", "weak")?;
                }
            }
        }
        map.end()
    }
}

fn limit<M: SerializeMap>(map: &mut M, name: &str, limit: Option<&impl Serialize>) -> Result<(), M::Error> {
    limit.map_or(Ok(()), |limit| map.serialize_entry(name, limit))
}

impl Serialize for AtomicType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
