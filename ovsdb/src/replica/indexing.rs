use std::hash::{DefaultHasher, Hasher};

use super::Row;
use super::packed::{write_atom, write_length, write_value};
use crate::monitor::MonitoredTable;
use crate::notation::{Atom, Value};
use crate::table::{By, IndexSpec};

/// An index of one table, its columns found.
#[derive(Clone, Debug)]
pub(super) struct Indexing {
    pub(super) spec: IndexSpec,
    /// `None` for a column that is not monitored: as if every row had its default.
    columns: Vec<Option<u16>>,
    /// Of [`By::Entry`]: the bytes of the map's key.
    entry: Vec<u8>,
}

/// What rows are looked up by: the bytes of each part after their length; none for a default.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) hash: u64,
    bytes: Vec<u8>,
}

impl Indexing {
    pub(super) fn new(spec: IndexSpec, table: &MonitoredTable) -> Self {
        let column = |name: &str| {
            let at = table.columns.iter().position(|column| column.name == name)?;
            u16::try_from(at).ok()
        };
        let mut entry = Vec::new();
        let columns = match &spec.by {
            By::Columns(columns) => columns.iter().map(|spec| column(spec.name)).collect(),
            By::Entry(name, key) => {
                write_atom(&mut entry, key);
                vec![column(name)]
            }
            By::Elements(name) => vec![column(name)],
            By::Function(..) => Vec::new(),
        };
        Self { spec, columns, entry }
    }

    /// Whether a row's keys may change with this column.
    pub(super) fn reads(&self, column: u16) -> bool {
        matches!(self.spec.by, By::Function(..)) || self.columns.contains(&Some(column))
    }

    /// The column, for an index by the elements of one.
    pub(super) fn elements_of(&self) -> Option<u16> {
        match self.spec.by {
            By::Elements(_) => self.columns[0],
            _ => None,
        }
    }

    /// The key of these values.
    pub(super) fn key(&self, values: &[Value], table: &MonitoredTable) -> Key {
        let mut bytes = Vec::new();
        let mut value_bytes = Vec::new();
        for (at, value) in values.iter().enumerate() {
            value_bytes.clear();
            let is_default = match &self.spec.by {
                By::Columns(columns) => {
                    // The server's idea of the column's cardinality is the right one.
                    let theirs = self.columns[at].map(|column| table.columns[usize::from(column)].shape);
                    value.is_default(theirs.unwrap_or(columns[at].shape))
                }
                _ => false,
            };
            if !is_default {
                write_value(&mut value_bytes, value);
            }
            write_part(&mut bytes, &value_bytes);
        }
        Key { hash: Key::hash(&bytes), bytes }
    }

    /// Calls `found` with the bytes of each key that the row has.
    pub(super) fn each_key(&self, row: &Row, table: &MonitoredTable, mut found: impl FnMut(&[u8])) {
        let mut key = Vec::new();
        let mut single = |part: &[u8], key: &mut Vec<u8>| {
            key.clear();
            write_part(key, part);
            found(key);
        };
        match &self.spec.by {
            By::Columns(_) => {
                for column in &self.columns {
                    let value = column.and_then(|column| row.bytes(column));
                    write_part(&mut key, value.as_deref().unwrap_or_default());
                }
                found(&key);
            }
            By::Entry(_, at) => {
                let value = self.columns[0].and_then(|column| row.entry(column, at, &self.entry));
                value.iter().for_each(|value| single(value, &mut key));
            }
            By::Elements(_) => {
                if let Some(column) = self.columns[0] {
                    row.each_element(column, |element| single(element, &mut key));
                }
            }
            By::Function(_, keys_of) => {
                let mut part = Vec::new();
                for value in keys_of(row, table) {
                    part.clear();
                    write_value(&mut part, &value);
                    single(&part, &mut key);
                }
            }
        }
    }

    /// Whether a row has this key: hashes may be equal by chance.
    pub(super) fn has(&self, row: &Row, table: &MonitoredTable, key: &Key) -> bool {
        let mut has = false;
        self.each_key(row, table, |bytes| has |= bytes == key.bytes);
        has
    }
}

impl Key {
    /// The bytes of a key that is one atom.
    pub(super) fn of_element(atom: &Atom) -> Vec<u8> {
        let (mut part, mut bytes) = (Vec::new(), Vec::new());
        write_atom(&mut part, atom);
        write_part(&mut bytes, &part);
        bytes
    }

    /// The hash of the bytes of a key.
    pub(super) fn hash(bytes: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        hasher.finish()
    }
}

fn write_part(out: &mut Vec<u8>, part: &[u8]) {
    write_length(out, part.len());
    out.extend_from_slice(part);
}
