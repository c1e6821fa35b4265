//! The typed view of a table: a Rust struct with a field a column, and a constant a column by which
//! conditions, assignments and mutations are built.

mod column;
mod index;
mod macros;
mod reference;
mod types;

pub use column::{AnyColumn, Assignment, Change, Column};
pub use index::Index;
pub use reference::Ref;
pub use types::{AtomType, ColumnType, Real, Shape, TypeMismatch};

pub(crate) use index::{By, IndexSpec};

use crate::notation::Value;

/// Name and cardinality of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name in the schema.
    pub name: &'static str,
    /// How many atoms it holds; decides how a difference is applied.
    pub shape: Shape,
}

/// A table whose columns are known when the program is compiled. Made by [`table!`](crate::table!).
pub trait Table: Default + Clone + PartialEq + Send + Sync + 'static {
    /// Database the table belongs to.
    const DATABASE: &'static str;
    /// Name in the schema.
    const NAME: &'static str;
    /// All columns, by name.
    const COLUMNS: &'static [ColumnSpec];
    /// Columns that are unique together, for each index of the schema.
    const INDEXES: &'static [&'static [&'static str]] = &[];

    /// Sets one field. Unknown columns are ignored.
    fn decode_column(&mut self, name: &str, value: &Value) -> Result<(), TypeMismatch>;

    /// The columns that differ from their default.
    fn encode(&self) -> impl Iterator<Item = (&'static str, Value)>;

    /// The operation that inserts this row under `uuid`.
    fn to_insert(&self, uuid: impl Into<uuid::Uuid>) -> crate::Operation {
        crate::Operation::insert(uuid, self)
    }
}

/// A typed row out of columns. A column of another type than `T` declares (another schema version) keeps
/// its default, as a missing one does.
pub(crate) fn decode<'a, T: Table>(columns: impl Iterator<Item = (&'a str, &'a Value)>) -> T {
    let mut row = T::default();
    for (name, value) in columns {
        if let Err(TypeMismatch { expected }) = row.decode_column(name, value) {
            tracing::debug!(table = T::NAME, column = name, expected, "column has another type");
        }
    }
    row
}

#[cfg(test)]
mod tests;
