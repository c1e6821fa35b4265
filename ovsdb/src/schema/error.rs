use std::fmt;

use thiserror::Error;

use super::ValueError;

/// A part of a schema, for error texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole.
    Database,
    /// The table of this name.
    Table(String),
    /// The column of this name.
    Column(String),
    /// The type of a column, or of its keys or values.
    Type,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => formatter.write_str("the schema"),
            Self::Table(name) => write!(formatter, "table {name}"),
            Self::Column(name) => write!(formatter, "column {name}"),
            Self::Type => formatter.write_str("a type"),
        }
    }
}

/// What is wrong with a schema.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SchemaError {
    /// Not JSON.
    #[error("the schema is not JSON: {0}")]
    Json(String),
    /// Another kind of JSON where an object belongs.
    #[error("{0} is not a JSON object")]
    NotAnObject(Part),
    /// A member that has to be there is not.
    #[error("{part} lacks member {member:?}")]
    Missing {
        /// Where.
        part: Part,
        /// Name of the member.
        member: &'static str,
    },
    /// A member is another kind of JSON than it has to be.
    #[error("member {member:?} of {part} is of the wrong kind")]
    Mismatch {
        /// Where.
        part: Part,
        /// Name of the member.
        member: &'static str,
    },
    /// Not `integer`, `real`, `boolean`, `string` or `uuid`.
    #[error("there is no atomic type {0:?}")]
    AtomicType(String),
    /// Two limits between which nothing is.
    #[error("{min} is greater than {max}")]
    EmptyRange {
        /// Name of the lower limit.
        min: &'static str,
        /// Name of the upper limit.
        max: &'static str,
    },
    /// `minLength` or `maxLength` is negative or takes more than 32 bits.
    #[error("{member} is not a number from 0 to {}", u32::MAX)]
    Length {
        /// Which.
        member: &'static str,
    },
    /// `min` or `max` is negative or takes more than 32 bits.
    #[error("min and max of a type are numbers from 0 to {}", u32::MAX)]
    Count,
    /// `min` is neither 0 nor 1, or `max` is less than 1 or than `min`.
    #[error("min of a type is 0 or 1, and max not less than that nor than 1")]
    Cardinality,
    /// A value of an `enum` is none of its type.
    #[error("enumeration: {0}")]
    Enumeration(#[source] ValueError),
    /// A name that begins with `_`.
    #[error("{0:?} begins with _ as only the names of the protocol do")]
    ReservedName(String),
    /// A name that is no `<id>`.
    #[error("{0:?} is not a name: letters, digits and _ only, not a digit first")]
    Name(String),
    /// A version that is not `x.y.z`.
    #[error("version {0:?} is not of the form x.y.z")]
    Version(String),
    /// A table without columns.
    #[error("{0} has no columns")]
    NoColumns(Part),
    /// `maxRows` below 1.
    #[error("maxRows of {0} is less than 1")]
    MaxRows(Part),
    /// An index that is not a list of different columns of its table.
    #[error("an index of {0} is not a list of different columns of it")]
    Index(Part),
    /// An index of no columns.
    #[error("an index of {0} has no columns")]
    EmptyIndex(Part),
    /// An index over a column that does not outlive the server.
    #[error("column {column} is ephemeral and cannot be in an index")]
    EphemeralIndex {
        /// Name of the column.
        column: String,
    },
    /// A reference to a table that is not there.
    #[error("the {side}s of column {column} refer to table {table}, which is not there")]
    UnknownTable {
        /// Name of the column.
        column: String,
        /// `key` or `value`.
        side: &'static str,
        /// Name of the table.
        table: String,
    },
}
