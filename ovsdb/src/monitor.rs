//! Which tables and columns our copy holds, and how the server's updates of them are read.

mod update;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use crate::table::{AnyColumn, By, Index, IndexSpec, Shape, Table};

pub use update::{RowUpdate, TableUpdate, Updates};

/// The tables and columns to copy, all of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    database: Cow<'static, str>,
    tables: Vec<MonitoredTable>,
    indexes: Vec<IndexSpec>,
}

/// One table of a [`Monitor`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitoredTable {
    /// Name in the schema.
    pub name: Cow<'static, str>,
    /// Columns to copy.
    pub columns: Vec<MonitoredColumn>,
}

/// One column of a [`MonitoredTable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitoredColumn {
    /// Name in the schema.
    pub name: Cow<'static, str>,
    /// Its cardinality.
    pub shape: Shape,
}

impl Monitor {
    /// All columns that `T` knows.
    pub fn of<T: Table>() -> Self {
        Self { database: Cow::Borrowed(T::DATABASE), tables: Vec::new(), indexes: Vec::new() }.and::<T>()
    }

    /// These columns of `T` only. The others stay at their default in our copy.
    pub fn of_only<T: Table>(columns: &[AnyColumn<T>]) -> Self {
        Self { database: Cow::Borrowed(T::DATABASE), tables: Vec::new(), indexes: Vec::new() }
            .and_only::<T>(columns)
    }

    /// Tables known only at run time.
    pub fn dynamic(database: impl Into<String>, tables: Vec<MonitoredTable>) -> Self {
        Self { database: Cow::Owned(database.into()), tables, indexes: Vec::new() }
    }

    /// And all columns that `T` knows.
    ///
    /// # Panics
    ///
    /// When `T` is of another database; so do the other two.
    pub fn and<T: Table>(self) -> Self {
        self.with_columns::<T>(|_| true)
    }

    /// And these columns of `T` only.
    pub fn and_only<T: Table>(self, columns: &[AnyColumn<T>]) -> Self {
        self.with_columns::<T>(|name| columns.iter().any(|column| column.name() == name))
    }

    /// And the columns of `T` but these.
    pub fn and_without<T: Table>(self, columns: &[AnyColumn<T>]) -> Self {
        self.with_columns::<T>(|name| !columns.iter().any(|column| column.name() == name))
    }

    /// And an index, by which [`Replica::by`](crate::Replica::by) finds rows without a scan: a column
    /// (`Interface::TYPE`), several (`(Mirror::NAME, Mirror::SELECT_ALL)`), a key in a map
    /// (`Interface::EXTERNAL_IDS.key("container_id")`), the elements of a set
    /// (`Bridge::PORTS.elements()`, from a port to the bridge that holds it), or a function of the row
    /// ([`Index::by`]). The unique indexes that [`table!`](crate::table!) names are there already. A row costs
    /// about 25 bytes an index, a changed row O(log n).
    pub fn indexed_by<T: Table, K>(mut self, index: impl Into<Index<T, K>>) -> Self {
        let spec = index.into().spec().clone();
        self.indexes.retain(|other| *other != spec);
        self.indexes.push(spec);
        self
    }

    /// Name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The tables, in the order they were named.
    pub fn tables(&self) -> &[MonitoredTable] {
        &self.tables
    }

    /// A table named twice is copied as it was named last.
    fn with_columns<T: Table>(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        assert_eq!(self.database, T::DATABASE, "a monitor is of one database, and {} is of another", T::NAME);
        let columns = T::COLUMNS.iter().filter(|column| wanted(column.name));
        let columns = columns
            .map(|column| MonitoredColumn { name: Cow::Borrowed(column.name), shape: column.shape })
            .collect();
        self.tables.retain(|table| table.name != T::NAME);
        self.tables.push(MonitoredTable { name: Cow::Borrowed(T::NAME), columns });
        for columns in T::INDEXES.iter().filter(|columns| columns.iter().all(|name| wanted(name))) {
            let columns = columns.iter().filter_map(|name| T::COLUMNS.iter().find(|spec| spec.name == *name));
            let spec =
                IndexSpec { table: Cow::Borrowed(T::NAME), by: By::Columns(columns.copied().collect()) };
            if !self.indexes.contains(&spec) {
                self.indexes.push(spec);
            }
        }
        self
    }

    pub(crate) fn indexes(&self) -> &[IndexSpec] {
        &self.indexes
    }

    /// Whether both copy the same tables and columns, however rows are looked up in them.
    pub(crate) fn copies_same(&self, other: &Self) -> bool {
        self.database == other.database && self.tables == other.tables
    }

    pub(crate) fn table_index(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }

    /// The `<monitor-requests>` object. An array of one request a table is understood by all versions.
    pub(crate) fn requests(&self) -> Json {
        let request = |table: &MonitoredTable| {
            let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
            (table.name.to_string(), json!([{ "columns": columns }]))
        };
        Json::Object(self.tables.iter().map(request).collect())
    }

    /// Keeps what the server's schema has too; its idea of a column's cardinality is the right one.
    /// `None` when it has all and agrees.
    pub(crate) fn within(&self, schema: &RawValue) -> Result<Option<Self>, serde_json::Error> {
        let schema: SchemaTables = serde_json::from_str(schema.get())?;
        let mut narrowed = self.clone();
        narrowed.tables.retain_mut(|table| {
            let Some(found) = schema.tables.get(&*table.name) else { return false };
            table.columns.retain_mut(|column| match found.columns.get(&*column.name) {
                None => false,
                Some(definition) => {
                    column.shape = definition.shape();
                    true
                }
            });
            true
        });
        Ok((narrowed != *self).then_some(narrowed))
    }
}

/// What we read of a `<database-schema>` (RFC 7047 section 3.2).
#[derive(serde::Deserialize)]
struct SchemaTables {
    tables: BTreeMap<String, SchemaTable>,
}

#[derive(serde::Deserialize)]
struct SchemaTable {
    columns: BTreeMap<String, SchemaColumn>,
}

#[derive(serde::Deserialize)]
struct SchemaColumn {
    r#type: Json,
}

impl SchemaColumn {
    fn shape(&self) -> Shape {
        let min = self.r#type.get("min").and_then(Json::as_u64).unwrap_or(1);
        let many = match self.r#type.get("max") {
            None => false,
            Some(max) => max.as_u64() != Some(1),
        };
        match (many, self.r#type.get("value").is_some(), min) {
            (true, true, _) => Shape::Map,
            (true, false, _) => Shape::Set,
            (false, _, 0) => Shape::Optional,
            (false, _, _) => Shape::One,
        }
    }
}

#[cfg(test)]
mod tests;
