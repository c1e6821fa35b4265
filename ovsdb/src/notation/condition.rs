use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Atom, Value};
use crate::table::Ref;

/// The comparison of a condition (RFC 7047 section 5.1, `<function>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Function {
    /// Less than; integers and reals.
    #[serde(rename = "<")]
    Lt,
    /// Less than or equal.
    #[serde(rename = "<=")]
    Le,
    /// Equal.
    #[serde(rename = "==")]
    Eq,
    /// Not equal.
    #[serde(rename = "!=")]
    Ne,
    /// Greater than or equal.
    #[serde(rename = ">=")]
    Ge,
    /// Greater than.
    #[serde(rename = ">")]
    Gt,
    /// The column holds all elements of the value.
    #[serde(rename = "includes")]
    Includes,
    /// The column holds no element of the value.
    #[serde(rename = "excludes")]
    Excludes,
}

/// `[column, function, value]`: what a row must meet (RFC 7047 section 5.1, `<condition>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Column name; `_uuid` for the row itself.
    pub column: Cow<'static, str>,
    /// How the column is compared.
    pub function: Function,
    /// What it is compared with.
    pub value: Value,
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.column, self.function, &self.value).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (column, function, value) = Deserialize::deserialize(deserializer)?;
        Ok(Self { column: Cow::Owned(column), function, value })
    }
}

/// Which rows of table `T` an operation is about: those that meet all conditions.
pub struct Where<T> {
    pub(super) conditions: Vec<Condition>,
    table: PhantomData<fn() -> T>,
}

impl<T> Where<T> {
    /// Every row of the table.
    pub fn all() -> Self {
        Self { conditions: Vec::new(), table: PhantomData }
    }

    /// The row with this UUID.
    pub fn row(uuid: impl Into<Uuid>) -> Self {
        let value = Value::Atom(Atom::Uuid(uuid.into()));
        Self::condition(Condition { column: Cow::Borrowed("_uuid"), function: Function::Eq, value })
    }

    /// The rows that meet both.
    pub fn and(mut self, other: Self) -> Self {
        self.conditions.extend(other.conditions);
        self
    }

    /// The conditions, as the protocol has them.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    pub(crate) fn condition(condition: Condition) -> Self {
        Self { conditions: vec![condition], table: PhantomData }
    }
}

impl<T> Clone for Where<T> {
    fn clone(&self) -> Self {
        Self { conditions: self.conditions.clone(), table: PhantomData }
    }
}

impl<T> fmt::Debug for Where<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Where").field(&self.conditions).finish()
    }
}

impl<T> From<Uuid> for Where<T> {
    fn from(uuid: Uuid) -> Self {
        Self::row(uuid)
    }
}

impl<T> From<Ref<T>> for Where<T> {
    fn from(reference: Ref<T>) -> Self {
        Self::row(reference)
    }
}

/// What a mutation does (RFC 7047 section 5.1, `<mutator>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Mutator {
    /// Add to a number.
    #[serde(rename = "+=")]
    Add,
    /// Subtract from a number.
    #[serde(rename = "-=")]
    Subtract,
    /// Multiply a number.
    #[serde(rename = "*=")]
    Multiply,
    /// Divide a number.
    #[serde(rename = "/=")]
    Divide,
    /// Remainder of an integer.
    #[serde(rename = "%=")]
    Remainder,
    /// Add elements to a set, or pairs to a map where their key is new.
    #[serde(rename = "insert")]
    Insert,
    /// Remove elements of a set, or pairs or keys of a map.
    #[serde(rename = "delete")]
    Delete,
}

/// `[column, mutator, value]`: a change relative to what the row holds (RFC 7047 section 5.1, `<mutation>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// Column name.
    pub column: Cow<'static, str>,
    /// What is done.
    pub mutator: Mutator,
    /// With what.
    pub value: Value,
}

impl Serialize for Mutation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.column, self.mutator, &self.value).serialize(serializer)
    }
}
