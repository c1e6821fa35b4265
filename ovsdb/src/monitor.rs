//! Which tables and columns our copy holds, and how the server's updates of them are read.

mod condition;
mod update;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use crate::schema::{ColumnSchema, DatabaseSchema, TableSchema, Type};
use crate::table::{AnyColumn, By, Index, IndexSpec, Shape, Table};

pub use condition::{Conditions, MonitorCondition};
pub use update::{RowUpdate, TableUpdate, Updates};

/// The tables, columns and rows to copy, all of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    database: Cow<'static, str>,
    tables: Vec<MonitoredTable>,
    indexes: Vec<IndexSpec>,
    conditions: Conditions,
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
        Self::dynamic(T::DATABASE, Vec::new()).and::<T>()
    }

    /// These columns of `T` only. The others stay at their default in our copy.
    pub fn of_only<T: Table>(columns: &[AnyColumn<T>]) -> Self {
        Self::dynamic(T::DATABASE, Vec::new()).and_only::<T>(columns)
    }

    /// Tables known only at run time.
    pub fn dynamic(database: impl Into<Cow<'static, str>>, tables: Vec<MonitoredTable>) -> Self {
        Self { database: database.into(), tables, conditions: Conditions::new(), indexes: Vec::new() }
    }

    /// All columns of all tables, as a server or an `.ovsschema` file tells of them.
    pub fn of_schema(schema: &DatabaseSchema) -> Self {
        let column = |(name, column): (&String, &ColumnSchema)| MonitoredColumn {
            name: Cow::Owned(name.clone()),
            shape: column.column_type.shape(),
        };
        let table = |(name, table): (&String, &TableSchema)| MonitoredTable {
            name: Cow::Owned(name.clone()),
            columns: table.columns.iter().map(column).collect(),
        };
        Self::dynamic(schema.name.clone(), schema.tables.iter().map(table).collect())
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

    /// But only the rows that meet these conditions, which replace those set before. Of a table that the monitor
    /// does not have they say nothing. See [`Conditions`] for servers that have no conditions.
    pub fn with_conditions(self, conditions: Conditions) -> Self {
        Self { conditions, ..self }
    }

    /// Name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The tables, in the order they were named.
    pub fn tables(&self) -> &[MonitoredTable] {
        &self.tables
    }

    /// Which rows are copied: those of tables that are not named, all.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Notes the condition of one table, as the server has acknowledged it.
    pub fn set_condition(&mut self, table: impl Into<Cow<'static, str>>, condition: MonitorCondition) {
        self.conditions.insert(table.into(), condition);
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
    pub(crate) fn requests(&self, conditions: &Conditions) -> Json {
        let request = |table: &MonitoredTable| {
            let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
            let request = match conditions.table(&table.name) {
                None | Some(MonitorCondition::All) => json!([{ "columns": columns }]),
                Some(condition) => json!([{ "columns": columns, "where": condition }]),
            };
            (table.name.to_string(), request)
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
                Some(definition) => match Type::from_json(&definition.r#type) {
                    Ok(found) => {
                        column.shape = found.shape();
                        true
                    }
                    // Of a newer server: as if it were not there.
                    Err(_) => false,
                },
            });
            true
        });
        Ok((narrowed != *self).then_some(narrowed))
    }
}

/// What has to be right of a server's `<database-schema>` (RFC 7047 section 3.2); [`DatabaseSchema`] is the whole.
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

#[cfg(test)]
mod tests;
