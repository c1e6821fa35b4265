use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::notation::{Condition, Where};
use crate::table::Table;

/// Which rows of a table are copied (`ovsdb-server(7)`, section 4.1.12, `where`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MonitorCondition {
    /// Every row.
    #[default]
    All,
    /// No row.
    Nothing,
    /// The rows that meet at least one of these. Unlike in an operation they are joined by "or".
    Any(Vec<Condition>),
}

impl Serialize for MonitorCondition {
    /// An empty list would stand for all rows, so that what is meant is always written out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => [true].serialize(serializer),
            Self::Any(clauses) if !clauses.is_empty() => {
                let mut seq = serializer.serialize_seq(Some(clauses.len()))?;
                clauses.iter().try_for_each(|clause| seq.serialize_element(clause))?;
                seq.end()
            }
            Self::Nothing | Self::Any(_) => [false].serialize(serializer),
        }
    }
}

/// The conditions of several tables. A table that is not named is copied whole, or in a change keeps the one it has.
///
/// A server that knows RFC 7047 only has no conditions: it sends all rows, and all are in the replica.
///
/// ```
/// # use flowport_ovsdb::monitor::Conditions;
/// # flowport_ovsdb::table! {
/// #     /// A bridge.
/// #     pub struct Bridge: "Open_vSwitch", "Bridge" {
/// #         /// Unique.
/// #         name, NAME, "name": String;
/// #     }
/// # }
/// let conditions = Conditions::new().any([Bridge::NAME.eq("br0"), Bridge::NAME.eq("br1")]);
/// assert_eq!(conditions.tables().count(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(BTreeMap<Cow<'static, str>, MonitorCondition>);

impl Conditions {
    /// Of no table.
    pub fn new() -> Self {
        Self::default()
    }

    /// And of `T` the rows that meet at least one of these; no row where there is none of them.
    ///
    /// # Panics
    ///
    /// When one is several joined by [`Where::and`]: the protocol has no such condition for a monitor.
    pub fn any<T: Table>(self, of: impl IntoIterator<Item = Where<T>>) -> Self {
        let mut clauses = Vec::new();
        for one in of {
            match one.conditions() {
                [] => return self.all::<T>(),
                [clause] => clauses.push(clause.clone()),
                _ => panic!("a monitor of {} cannot ask for rows that meet two conditions at once", T::NAME),
            }
        }
        self.with(T::NAME, MonitorCondition::Any(clauses))
    }

    /// And every row of `T`.
    pub fn all<T: Table>(self) -> Self {
        self.with(T::NAME, MonitorCondition::All)
    }

    /// And no row of `T`.
    pub fn nothing<T: Table>(self) -> Self {
        self.with(T::NAME, MonitorCondition::Nothing)
    }

    /// And this condition of the table of that name, for tables known only at run time. Replaces the one before.
    pub fn with(mut self, table: impl Into<Cow<'static, str>>, condition: MonitorCondition) -> Self {
        self.insert(table.into(), condition);
        self
    }

    /// Each table and its condition, in the order of their names.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &MonitorCondition)> {
        self.0.iter().map(|(table, condition)| (&**table, condition))
    }

    /// The condition of one table.
    pub fn table(&self, name: &str) -> Option<&MonitorCondition> {
        self.0.get(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn insert(&mut self, table: Cow<'static, str>, condition: MonitorCondition) {
        self.0.insert(table, condition);
    }

    /// What `newer` says of a table counts.
    pub(crate) fn merge(&mut self, newer: Self) {
        self.0.extend(newer.0);
    }

    pub(crate) fn remove(&mut self, table: &str) -> Option<MonitorCondition> {
        self.0.remove(table)
    }

    pub(crate) fn take(&mut self) -> impl Iterator<Item = (Cow<'static, str>, MonitorCondition)> + use<> {
        std::mem::take(&mut self.0).into_iter()
    }
}
