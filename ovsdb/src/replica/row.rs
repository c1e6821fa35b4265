use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::monitor::MonitoredTable;
use crate::notation::Value;
use crate::table::Table;

/// A row of the replica: the monitored columns that differ from their default. Cheap to clone.
#[derive(Clone)]
pub struct Row(Arc<Inner>);

struct Inner {
    /// Sorted by column.
    columns: Box<[(u16, Value)]>,
    /// The row as a struct, made at first use.
    typed: OnceLock<Typed>,
}

/// Usually a table is read as one type only; each other one is another link.
struct Typed {
    row: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Self>>,
}

impl Row {
    /// `columns`: index into the monitored columns and value, sorted by index, without defaults.
    pub(crate) fn new(columns: Vec<(u16, Value)>) -> Self {
        Self(Arc::new(Inner { columns: columns.into(), typed: OnceLock::new() }))
    }

    /// Columns that differ from their default: index into the monitored columns, and value.
    pub fn columns(&self) -> &[(u16, Value)] {
        &self.0.columns
    }

    /// The value of one column; `None` for its default.
    pub fn value(&self, column: u16) -> Option<&Value> {
        let columns = &self.0.columns;
        columns.binary_search_by_key(&column, |(index, _)| *index).ok().map(|at| &columns[at].1)
    }

    pub(crate) fn typed<T: Table>(&self, spec: &MonitoredTable) -> &T {
        let decode = || {
            let columns = self.columns().iter();
            let row: T = crate::table::decode(
                columns.map(|(column, value)| (&*spec.columns[usize::from(*column)].name, value)),
            );
            Typed { row: Box::new(row), next: OnceLock::new() }
        };
        let mut typed = self.0.typed.get_or_init(decode);
        loop {
            match typed.row.downcast_ref() {
                Some(row) => return row,
                None => typed = typed.next.get_or_init(|| Box::new(decode())),
            }
        }
    }

    /// The row after the differences of a `modify`.
    pub(crate) fn modified(&self, differences: Vec<(u16, Value)>, spec: &MonitoredTable) -> Self {
        let mut columns = self.columns().to_vec();
        for (column, difference) in differences {
            let shape = spec.columns[usize::from(column)].shape;
            let found = columns.binary_search_by_key(&column, |(index, _)| *index);
            let old = found.ok().map(|at| &columns[at].1);
            let value = Value::with_difference(old, difference, shape);
            match (found, value.is_default(shape)) {
                (Ok(at), true) => drop(columns.remove(at)),
                (Ok(at), false) => columns[at].1 = value,
                (Err(_), true) => {}
                (Err(at), false) => columns.insert(at, (column, value)),
            }
        }
        Self::new(columns)
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.columns == other.0.columns
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Row").field(&self.0.columns).finish()
    }
}
