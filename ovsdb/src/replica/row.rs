use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::large::Large;
use super::packed::{Reader, write_atom, write_length, write_value};
use crate::monitor::MonitoredTable;
use crate::notation::{Atom, Value};
use crate::table::Table;

/// A row of the replica: the monitored columns that differ from their default. Cheap to clone.
///
/// It is kept as bytes, about as many as its JSON text has; values are made from them when they are asked for.
#[derive(Clone)]
pub struct Row(Arc<Inner>);

struct Inner {
    /// Column, length, and that many bytes of value; sorted by column.
    small: Box<[u8]>,
    /// What would be expensive to write anew after each change; sorted by column.
    large: Option<Box<LargeColumns>>,
    /// The row as a struct, made at first use.
    typed: OnceLock<Box<Typed>>,
}

type LargeColumns = [(u16, Large)];

/// Usually a table is read as one type only; each other one is another link.
struct Typed {
    row: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Self>>,
}

/// A column's value as the row keeps it.
#[derive(Clone)]
enum Stored<'a> {
    Small(Cow<'a, [u8]>),
    Large(Cow<'a, Large>),
}

impl Row {
    /// `columns`: index into the monitored columns and value, sorted by index, without defaults.
    pub(crate) fn new(columns: Vec<(u16, Value)>) -> Self {
        Self::from_stored(columns.into_iter().map(|(column, value)| (column, Stored::of(&value))))
    }

    fn from_stored<'a>(columns: impl IntoIterator<Item = (u16, Stored<'a>)>) -> Self {
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (column, stored) in columns {
            match stored {
                Stored::Small(bytes) => {
                    write_length(&mut small, column.into());
                    write_length(&mut small, bytes.len());
                    small.extend_from_slice(&bytes);
                }
                Stored::Large(value) => large.push((column, value.into_owned())),
            }
        }
        let large = (!large.is_empty()).then(|| large.into());
        Self(Arc::new(Inner { small: small.into(), large, typed: OnceLock::new() }))
    }

    /// Columns that differ from their default: index into the monitored columns, and value.
    pub fn columns(&self) -> impl Iterator<Item = (u16, Value)> + '_ {
        self.stored().into_iter().map(|(column, stored)| (column, stored.value()))
    }

    /// The value of one column; `None` for its default.
    pub fn value(&self, column: u16) -> Option<Value> {
        self.find(column).map(|stored| stored.value())
    }

    /// The bytes of a column's value, by which values can be compared; `None` for its default.
    pub(super) fn bytes(&self, column: u16) -> Option<Cow<'_, [u8]>> {
        self.find(column).map(|stored| match stored {
            Stored::Small(bytes) => bytes,
            Stored::Large(large) => {
                let mut bytes = Vec::new();
                write_value(&mut bytes, &large.value());
                Cow::Owned(bytes)
            }
        })
    }

    /// Calls `found` with the bytes of each element of a set, or of each value of a map.
    pub(super) fn each_element(&self, column: u16, mut found: impl FnMut(&[u8])) {
        match self.find(column) {
            Some(Stored::Small(bytes)) => {
                let mut reader = Reader(&bytes);
                let is_map = reader.is_map();
                for _ in 0..reader.count().unwrap_or(0) {
                    if is_map {
                        reader.atom_bytes();
                    }
                    reader.atom_bytes().into_iter().for_each(&mut found);
                }
            }
            Some(Stored::Large(large)) => {
                let mut bytes = Vec::new();
                for atom in large.elements() {
                    bytes.clear();
                    write_atom(&mut bytes, atom);
                    found(&bytes);
                }
            }
            None => {}
        }
    }

    /// The bytes of a map's value at `key`, which is given both ways.
    pub(super) fn entry(&self, column: u16, key: &Atom, key_bytes: &[u8]) -> Option<Vec<u8>> {
        match self.find(column)? {
            Stored::Small(bytes) => {
                let mut reader = Reader(&bytes);
                if !reader.is_map() {
                    return None;
                }
                (0..reader.count()?)
                    .filter_map(|_| Some((reader.atom_bytes()?, reader.atom_bytes()?)))
                    .find(|(found, _)| *found == key_bytes)
                    .map(|(_, value)| value.to_vec())
            }
            Stored::Large(large) => {
                let mut bytes = Vec::new();
                write_atom(&mut bytes, large.entry(key)?);
                Some(bytes)
            }
        }
    }

    pub(crate) fn typed<T: Table>(&self, spec: &MonitoredTable) -> &T {
        let decode = || Box::new(Typed { row: Box::new(self.decode::<T>(spec)), next: OnceLock::new() });
        let mut typed = self.0.typed.get_or_init(decode);
        loop {
            match typed.row.downcast_ref() {
                Some(row) => return row,
                None => typed = typed.next.get_or_init(decode),
            }
        }
    }

    /// The row as a struct that is not kept.
    pub(crate) fn decode<T: Table>(&self, spec: &MonitoredTable) -> T {
        let columns: Vec<(u16, Value)> = self.columns().collect();
        let named = columns.iter().map(|(column, value)| (&*spec.columns[usize::from(*column)].name, value));
        crate::table::decode(named)
    }

    /// The row after the differences of a `modify`.
    pub(crate) fn modified(&self, differences: Vec<(u16, Value)>, spec: &MonitoredTable) -> Self {
        let mut columns = self.stored();
        for (column, difference) in differences {
            let shape = spec.columns[usize::from(column)].shape;
            let found = columns.binary_search_by_key(&column, |(index, _)| *index);
            let value = match found.ok().map(|at| &columns[at].1) {
                Some(Stored::Large(large)) if large.is_of(shape) => {
                    Some(Stored::after(large.after(&difference)))
                }
                old => {
                    let old = old.map(Stored::value);
                    let value = Value::with_difference(old.as_ref(), difference, shape);
                    (!value.is_default(shape)).then(|| Stored::of(&value))
                }
            };
            match (found, value) {
                (Ok(at), None) => drop(columns.remove(at)),
                (Ok(at), Some(value)) => columns[at].1 = value,
                (Err(_), None) => {}
                (Err(at), Some(value)) => columns.insert(at, (column, value)),
            }
        }
        Self::from_stored(columns)
    }

    fn find(&self, column: u16) -> Option<Stored<'_>> {
        let small = self.small().find(|(index, _)| *index >= column).filter(|(index, _)| *index == column);
        small.map(|(_, bytes)| Stored::Small(Cow::Borrowed(bytes))).or_else(|| {
            let large = self.large();
            let at = large.binary_search_by_key(&column, |(index, _)| *index).ok()?;
            Some(Stored::Large(Cow::Borrowed(&large[at].1)))
        })
    }

    /// All columns, sorted.
    fn stored(&self) -> Vec<(u16, Stored<'_>)> {
        let small = self.small().map(|(column, bytes)| (column, Stored::Small(Cow::Borrowed(bytes))));
        let mut columns: Vec<_> = small.collect();
        let large = self.large();
        if !large.is_empty() {
            columns
                .extend(large.iter().map(|(column, value)| (*column, Stored::Large(Cow::Borrowed(value)))));
            columns.sort_by_key(|(column, _)| *column);
        }
        columns
    }

    fn small(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut reader = Reader(&self.0.small);
        std::iter::from_fn(move || {
            let column = u16::try_from(reader.length()?).ok()?;
            let length = reader.length()?;
            Some((column, reader.bytes(length)?))
        })
    }

    fn large(&self) -> &LargeColumns {
        self.0.large.as_deref().unwrap_or_default()
    }
}

impl Stored<'_> {
    fn of(value: &Value) -> Self {
        if let Some(large) = Large::of(value) {
            return Self::Large(Cow::Owned(large));
        }
        let mut bytes = Vec::new();
        write_value(&mut bytes, value);
        Self::Small(Cow::Owned(bytes))
    }

    /// Large as it was, unless little is left of it.
    fn after(large: Large) -> Self {
        if large.is_large() { Self::Large(Cow::Owned(large)) } else { Self::of(&large.value()) }
    }

    fn value(&self) -> Value {
        match self {
            // Nothing but what `write_value` wrote is ever read.
            Self::Small(bytes) => Reader(bytes).value().unwrap_or_else(|| Value::Set(Box::default())),
            Self::Large(large) => large.value(),
        }
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.small == other.0.small && self.large() == other.large())
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.columns()).finish()
    }
}
