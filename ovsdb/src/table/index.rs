use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{AtomType, Column, ColumnSpec, ColumnType, Table};
use crate::monitor::MonitoredTable;
use crate::notation::{Atom, Value};
use crate::replica::Row;

/// A way to look rows of table `T` up by a `K`: by a column, by several, by a part of one, or by a function of
/// the row.
///
/// A [`Column`] is one, and so is a pair or a triple of columns. [`Column::key`], [`Column::elements`] and
/// [`Column::values`] look into maps and sets, and [`Index::by`] makes one of a function.
///
/// A [`Monitor`](crate::Monitor) that is told of it ([`indexed_by`](crate::Monitor::indexed_by)) has the replica
/// keep it up to date; [`Replica::by`](crate::Replica::by) looks rows up. The unique indexes of a schema are kept
/// without being asked for.
pub struct Index<T, K> {
    spec: IndexSpec,
    values: fn(&K) -> Vec<Value>,
    table: PhantomData<fn() -> T>,
}

/// What an index is of, without types.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct IndexSpec {
    pub(crate) table: Cow<'static, str>,
    pub(crate) by: By,
}

#[derive(Clone)]
pub(crate) enum By {
    /// These columns, all of each.
    Columns(Vec<ColumnSpec>),
    /// The value of a map at this key.
    Entry(Cow<'static, str>, Atom),
    /// Each element of a set, or each value of a map.
    Elements(Cow<'static, str>),
    /// What a function of the row gives, told apart from others by name.
    Function(Cow<'static, str>, Arc<KeysOf>),
}

/// The keys of a row.
pub(crate) type KeysOf = dyn Fn(&Row, &MonitoredTable) -> Vec<Value> + Send + Sync;

impl<T: Table, K> Index<T, K> {
    pub(crate) fn spec(&self) -> &IndexSpec {
        &self.spec
    }

    /// The values of a key, one for each part of the index.
    pub(crate) fn values(&self, key: &K) -> Vec<Value> {
        (self.values)(key)
    }

    pub(super) fn new(by: By, values: fn(&K) -> Vec<Value>) -> Self {
        let spec = IndexSpec { table: Cow::Borrowed(T::NAME), by };
        Self { spec, values, table: PhantomData }
    }
}

impl<T: Table, K: ColumnType> Index<T, K> {
    /// By the keys that `keys` gives for a row: none, one (an `Option` will do) or several. It has to be a pure
    /// function of the row's columns. Indexes of one table are told apart by `name`.
    pub fn by<I: IntoIterator<Item = K>>(
        name: &'static str,
        keys: impl Fn(&T) -> I + Send + Sync + 'static,
    ) -> Self {
        let keys_of = move |row: &Row, spec: &MonitoredTable| {
            keys(&row.decode(spec)).into_iter().map(|key| key.to_value()).collect()
        };
        Self::new(By::Function(Cow::Borrowed(name), Arc::new(keys_of)), whole)
    }
}

impl<T: Table, K: AtomType, V: AtomType> Column<T, BTreeMap<K, V>>
where
    K: Ord,
{
    /// By the map's value at `key`, such as `external_ids:container_id`. Rows without that key are not found.
    pub fn key(self, key: impl Into<K>) -> Index<T, V> {
        Index::new(By::Entry(Cow::Borrowed(self.name()), key.into().to_atom()), whole)
    }

    /// By each value of the map: which rows refer to a row, where the values are references.
    pub fn values(self) -> Index<T, V> {
        Index::new(By::Elements(Cow::Borrowed(self.name())), whole)
    }
}

impl<T: Table, A: AtomType + Ord> Column<T, BTreeSet<A>> {
    /// By each element of the set: which rows refer to a row, where the elements are references.
    pub fn elements(self) -> Index<T, A> {
        Index::new(By::Elements(Cow::Borrowed(self.name())), whole)
    }
}

fn column_spec<T, V: ColumnType>(column: Column<T, V>) -> ColumnSpec {
    ColumnSpec { name: column.name(), shape: V::SHAPE }
}

fn whole<V: ColumnType>(key: &V) -> Vec<Value> {
    vec![key.to_value()]
}

impl<T: Table, V: ColumnType> From<Column<T, V>> for Index<T, V> {
    fn from(column: Column<T, V>) -> Self {
        Self::new(By::Columns(vec![column_spec(column)]), whole)
    }
}

impl<T: Table, A: ColumnType, B: ColumnType> From<(Column<T, A>, Column<T, B>)> for Index<T, (A, B)> {
    fn from((a, b): (Column<T, A>, Column<T, B>)) -> Self {
        Self::new(By::Columns(vec![column_spec(a), column_spec(b)]), |(a, b)| {
            vec![a.to_value(), b.to_value()]
        })
    }
}

impl<T: Table, A: ColumnType, B: ColumnType, C: ColumnType> From<(Column<T, A>, Column<T, B>, Column<T, C>)>
    for Index<T, (A, B, C)>
{
    fn from((a, b, c): (Column<T, A>, Column<T, B>, Column<T, C>)) -> Self {
        let columns = vec![column_spec(a), column_spec(b), column_spec(c)];
        Self::new(By::Columns(columns), |(a, b, c)| vec![a.to_value(), b.to_value(), c.to_value()])
    }
}

impl<T, K> From<&Self> for Index<T, K> {
    fn from(index: &Self) -> Self {
        index.clone()
    }
}

// Derived it would ask the same of `T` and `K`.
impl<T, K> Clone for Index<T, K> {
    fn clone(&self) -> Self {
        Self { spec: self.spec.clone(), values: self.values, table: PhantomData }
    }
}

impl<T, K> fmt::Debug for Index<T, K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(formatter)
    }
}

impl PartialEq for By {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Columns(a), Self::Columns(b)) => a == b,
            (Self::Entry(a, x), Self::Entry(b, y)) => a == b && x == y,
            (Self::Elements(a), Self::Elements(b)) | (Self::Function(a, _), Self::Function(b, _)) => a == b,
            _ => false,
        }
    }
}

impl Eq for By {}

impl fmt::Debug for IndexSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.table;
        match &self.by {
            By::Columns(columns) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
                write!(formatter, "{table} by {}", names.join(", "))
            }
            By::Entry(column, key) => write!(formatter, "{table} by {column}:{key:?}"),
            By::Elements(column) => write!(formatter, "{table} by elements of {column}"),
            By::Function(name, _) => write!(formatter, "{table} by {name}"),
        }
    }
}
