use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Monitor, MonitoredTable};
use crate::notation::Value;
use crate::replica::Row;
use crate::table::Shape;

/// Changes of several tables, one transaction's or a whole dump.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Updates {
    /// Only tables that changed.
    pub tables: Vec<TableUpdate>,
}

/// Changes of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableUpdate {
    /// Index into [`Monitor::tables`].
    pub table: usize,
    /// Changed rows.
    pub rows: Vec<(Uuid, RowUpdate)>,
}

/// The change of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowUpdate {
    /// The row in a dump, or a new row.
    Insert(Row),
    /// The whole row as it is now (first version of `update`), there before or not.
    Replace(Row),
    /// Differences by column, to be applied by the column's shape.
    Modify(Vec<(u16, Value)>),
    /// The row is gone.
    Delete,
}

impl RowUpdate {
    /// The row, where the update gives the whole of it.
    pub fn new_row(&self) -> Option<&Row> {
        match self {
            Self::Insert(row) | Self::Replace(row) => Some(row),
            Self::Modify(_) | Self::Delete => None,
        }
    }

    pub(crate) fn into_new_row(self) -> Option<Row> {
        match self {
            Self::Insert(row) | Self::Replace(row) => Some(row),
            Self::Modify(_) | Self::Delete => None,
        }
    }
}

impl Updates {
    /// Reads `<table-updates>` or `<table-updates2>`, straight into rows.
    pub fn parse(monitor: &Monitor, text: &RawValue) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text.get());
        let updates = Tables(monitor).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(updates)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// `{table: {uuid: change}}`
struct Tables<'m>(&'m Monitor);

impl<'de> DeserializeSeed<'de> for Tables<'_> {
    type Value = Updates;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Updates, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tables<'_> {
    type Value = Updates;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("table updates")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Updates, A::Error> {
        let mut updates = Updates::default();
        while let Some(Key(name)) = map.next_key()? {
            match self.0.table_index(&name) {
                Some(table) => {
                    let rows = map.next_value_seed(Rows(&self.0.tables()[table]))?;
                    updates.tables.push(TableUpdate { table, rows });
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(updates)
    }
}

/// `{uuid: change}`
struct Rows<'m>(&'m MonitoredTable);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = Vec<(Uuid, RowUpdate)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = Vec<(Uuid, RowUpdate)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("row updates")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(Key(text)) = map.next_key()? {
            let uuid = Uuid::try_parse(&text)
                .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &"a UUID"))?;
            rows.push((uuid, map.next_value_seed(Change(self.0))?));
        }
        Ok(rows)
    }
}

/// `{"initial"|"insert"|"modify": row}`, `{"delete": null}`, or `{"old": row, "new": row}`.
struct Change<'m>(&'m MonitoredTable);

impl<'de> DeserializeSeed<'de> for Change<'_> {
    type Value = RowUpdate;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<RowUpdate, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Change<'_> {
    type Value = RowUpdate;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the update of a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RowUpdate, A::Error> {
        let mut update = None;
        while let Some(Key(kind)) = map.next_key()? {
            match &*kind {
                "initial" | "insert" => {
                    update = Some(RowUpdate::Insert(
                        map.next_value_seed(Columns(self.0)).map(|columns| self.row(columns))?,
                    ));
                }
                "new" => {
                    update = Some(RowUpdate::Replace(
                        map.next_value_seed(Columns(self.0)).map(|columns| self.row(columns))?,
                    ));
                }
                "modify" => update = Some(RowUpdate::Modify(map.next_value_seed(Columns(self.0))?)),
                "delete" | "old" => {
                    map.next_value::<IgnoredAny>()?;
                    update = update.or(Some(RowUpdate::Delete));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        update.ok_or_else(|| de::Error::custom("neither insert, modify nor delete"))
    }
}

impl Change<'_> {
    fn row(&self, mut columns: Vec<(u16, Value)>) -> Row {
        columns.retain(|(column, value)| !value.is_default(self.0.columns[usize::from(*column)].shape));
        Row::new(columns)
    }
}

/// `{column: value}`
struct Columns<'m>(&'m MonitoredTable);

impl<'de> DeserializeSeed<'de> for Columns<'_> {
    type Value = Vec<(u16, Value)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Columns<'_> {
    type Value = Vec<(u16, Value)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the columns of a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let specs = &self.0.columns;
        let mut columns: Vec<(u16, Value)> = Vec::with_capacity(map.size_hint().unwrap_or(4));
        while let Some(Key(name)) = map.next_key()? {
            let found = specs.iter().position(|spec| spec.name == *name);
            match found.and_then(|index| u16::try_from(index).ok().map(|column| (column, specs[index].shape)))
            {
                Some((column, shape)) => columns.push((column, canonical(map.next_value()?, shape))),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        columns.sort_by_key(|(column, _)| *column);
        Ok(columns)
    }
}

/// `["set", []]` may stand for an empty map nowhere but in sloppy writers; make it one.
fn canonical(value: Value, shape: Shape) -> Value {
    match (value, shape) {
        (Value::Set(atoms), Shape::Map) if atoms.is_empty() => Value::Map(Box::default()),
        (value, _) => value,
    }
}
