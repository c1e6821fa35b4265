use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::{Condition, Mutation, Value, Where};
use crate::table::{AnyColumn, Assignment, Change, Table};

/// Columns of a row by name (RFC 7047 section 5.1, `<row>`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowValues(pub BTreeMap<Cow<'static, str>, Value>);

impl RowValues {
    /// The typed row, columns that `T` does not know left out, missing ones at their default.
    pub fn decode<T: Table>(&self) -> T {
        crate::table::decode(self.0.iter().map(|(name, value)| (&**name, value)))
    }

    /// The row's own UUID, where the server sent it.
    pub fn uuid(&self) -> Option<Uuid> {
        match self.0.get("_uuid")?.atoms() {
            [super::Atom::Uuid(uuid)] => Some(*uuid),
            _ => None,
        }
    }
}

/// What a `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Until {
    /// The rows found are exactly the rows given.
    #[serde(rename = "==")]
    Equal,
    /// They are not.
    #[serde(rename = "!=")]
    NotEqual,
}

/// One operation of a transaction (RFC 7047 section 5.2).
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Add a row.
    Insert {
        /// Table name.
        table: Cow<'static, str>,
        /// The new row's UUID, chosen by us (Open vSwitch 2.13 or later); else the server chooses.
        uuid: Option<Uuid>,
        /// Name by which other operations of the transaction may refer to the row.
        uuid_name: Option<String>,
        /// Columns; those left out get their default.
        row: RowValues,
    },
    /// Read rows.
    Select {
        /// Table name.
        table: Cow<'static, str>,
        /// All of which a row must meet.
        conditions: Vec<Condition>,
        /// Columns wanted; `None` for all, `_uuid` among them.
        columns: Option<Vec<Cow<'static, str>>>,
    },
    /// Overwrite columns.
    Update {
        /// Table name.
        table: Cow<'static, str>,
        /// All of which a row must meet.
        conditions: Vec<Condition>,
        /// Columns to overwrite.
        row: RowValues,
    },
    /// Change columns relative to what they hold.
    Mutate {
        /// Table name.
        table: Cow<'static, str>,
        /// All of which a row must meet.
        conditions: Vec<Condition>,
        /// Changes, in order.
        mutations: Vec<Mutation>,
    },
    /// Remove rows.
    Delete {
        /// Table name.
        table: Cow<'static, str>,
        /// All of which a row must meet.
        conditions: Vec<Condition>,
    },
    /// Go on only when rows are as expected.
    Wait {
        /// Table name.
        table: Cow<'static, str>,
        /// Which rows are looked at.
        conditions: Vec<Condition>,
        /// Which columns are compared.
        columns: Vec<Cow<'static, str>>,
        /// Equal or not.
        until: Until,
        /// The rows they are compared with.
        rows: Vec<RowValues>,
        /// Milliseconds to wait; `None` for ever, 0 to fail at once.
        timeout: Option<u64>,
    },
    /// Answer only when the transaction is on disk, if `durable`.
    Commit {
        /// Wait for the disk.
        durable: bool,
    },
    /// Undo the transaction.
    Abort,
    /// Text for the database's log.
    Comment(String),
    /// Fail unless this connection owns the lock.
    Assert {
        /// Name of the lock.
        lock: String,
    },
}

impl Operation {
    /// Inserts `row` under `uuid`. Columns at their default are left to the server.
    pub fn insert<T: Table>(uuid: impl Into<Uuid>, row: &T) -> Self {
        let row = RowValues(row.encode().map(|(name, value)| (Cow::Borrowed(name), value)).collect());
        Self::Insert { table: Cow::Borrowed(T::NAME), uuid: Some(uuid.into()), uuid_name: None, row }
    }

    /// Reads the rows that meet `filter`, all columns.
    pub fn select<T: Table>(filter: impl Into<Where<T>>) -> Self {
        let conditions = filter.into().conditions;
        Self::Select { table: Cow::Borrowed(T::NAME), conditions, columns: None }
    }

    /// Reads these columns and `_uuid` of the rows that meet `filter`.
    pub fn select_columns<T: Table>(filter: impl Into<Where<T>>, columns: &[AnyColumn<T>]) -> Self {
        let conditions = filter.into().conditions;
        let names = columns.iter().map(|column| Cow::Borrowed(column.name()));
        let columns = Some(names.chain([Cow::Borrowed("_uuid")]).collect());
        Self::Select { table: Cow::Borrowed(T::NAME), conditions, columns }
    }

    /// Overwrites columns of the rows that meet `filter`.
    pub fn update<T: Table>(
        filter: impl Into<Where<T>>,
        columns: impl IntoIterator<Item = Assignment<T>>,
    ) -> Self {
        let row = columns.into_iter().map(|column| (Cow::Borrowed(column.name), column.value)).collect();
        let conditions = filter.into().conditions;
        Self::Update { table: Cow::Borrowed(T::NAME), conditions, row: RowValues(row) }
    }

    /// Changes columns of the rows that meet `filter` relative to what they hold.
    pub fn mutate<T: Table>(
        filter: impl Into<Where<T>>,
        changes: impl IntoIterator<Item = Change<T>>,
    ) -> Self {
        let mutations = changes.into_iter().flat_map(|change| change.mutations).collect();
        Self::Mutate { table: Cow::Borrowed(T::NAME), conditions: filter.into().conditions, mutations }
    }

    /// Removes the rows that meet `filter`.
    pub fn delete<T: Table>(filter: impl Into<Where<T>>) -> Self {
        Self::Delete { table: Cow::Borrowed(T::NAME), conditions: filter.into().conditions }
    }

    /// Fails with a conflict unless exactly one row meets `filter` and holds these values.
    pub fn verify<T: Table>(
        filter: impl Into<Where<T>>,
        columns: impl IntoIterator<Item = Assignment<T>>,
    ) -> Self {
        let row: BTreeMap<_, _> =
            columns.into_iter().map(|column| (Cow::Borrowed(column.name), column.value)).collect();
        Self::Wait {
            table: Cow::Borrowed(T::NAME),
            conditions: filter.into().conditions,
            columns: row.keys().cloned().collect(),
            until: Until::Equal,
            rows: vec![RowValues(row)],
            timeout: Some(0),
        }
    }

    /// Fails with a conflict when a row meets `filter`. `column` is any column of the table.
    pub fn verify_none<T: Table>(filter: impl Into<Where<T>>, column: AnyColumn<T>) -> Self {
        Self::Wait {
            table: Cow::Borrowed(T::NAME),
            conditions: filter.into().conditions,
            columns: vec![Cow::Borrowed(column.name())],
            until: Until::Equal,
            rows: Vec::new(),
            timeout: Some(0),
        }
    }

    /// The member `op` of this operation.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Insert { .. } => "insert",
            Self::Select { .. } => "select",
            Self::Update { .. } => "update",
            Self::Mutate { .. } => "mutate",
            Self::Delete { .. } => "delete",
            Self::Wait { .. } => "wait",
            Self::Commit { .. } => "commit",
            Self::Abort => "abort",
            Self::Comment(_) => "comment",
            Self::Assert { .. } => "assert",
        }
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("op", self.name())?;
        match self {
            Self::Insert { table, uuid, uuid_name, row } => {
                map.serialize_entry("table", table)?;
                if let Some(uuid) = uuid {
                    map.serialize_entry("uuid", &uuid.hyphenated().to_string())?;
                }
                if let Some(name) = uuid_name {
                    map.serialize_entry("uuid-name", name)?;
                }
                map.serialize_entry("row", row)?;
            }
            Self::Select { table, conditions, columns } => {
                map.serialize_entry("table", table)?;
                map.serialize_entry("where", conditions)?;
                if let Some(columns) = columns {
                    map.serialize_entry("columns", columns)?;
                }
            }
            Self::Update { table, conditions, row } => {
                map.serialize_entry("table", table)?;
                map.serialize_entry("where", conditions)?;
                map.serialize_entry("row", row)?;
            }
            Self::Mutate { table, conditions, mutations } => {
                map.serialize_entry("table", table)?;
                map.serialize_entry("where", conditions)?;
                map.serialize_entry("mutations", mutations)?;
            }
            Self::Delete { table, conditions } => {
                map.serialize_entry("table", table)?;
                map.serialize_entry("where", conditions)?;
            }
            Self::Wait { table, conditions, columns, until, rows, timeout } => {
                map.serialize_entry("table", table)?;
                map.serialize_entry("where", conditions)?;
                map.serialize_entry("columns", columns)?;
                map.serialize_entry("until", until)?;
                map.serialize_entry("rows", rows)?;
                if let Some(timeout) = timeout {
                    map.serialize_entry("timeout", timeout)?;
                }
            }
            Self::Commit { durable } => map.serialize_entry("durable", durable)?,
            Self::Abort => {}
            Self::Comment(text) => map.serialize_entry("comment", text)?,
            Self::Assert { lock } => map.serialize_entry("lock", lock)?,
        }
        map.end()
    }
}
