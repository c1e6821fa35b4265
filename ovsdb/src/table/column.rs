use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use super::{AtomType, ColumnType};
use crate::notation::{Condition, Function, Mutation, Mutator, Value, Where};

/// A column of table `T` whose values are `V`.
pub struct Column<T, V> {
    name: &'static str,
    types: PhantomData<fn() -> (T, V)>,
}

impl<T, V> Clone for Column<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Column<T, V> {}

impl<T, V> fmt::Debug for Column<T, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Column").field(&self.name).finish()
    }
}

/// A column of table `T`, whatever its type.
pub struct AnyColumn<T> {
    name: &'static str,
    table: PhantomData<fn() -> T>,
}

impl<T> AnyColumn<T> {
    /// Name in the schema.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T, V> From<Column<T, V>> for AnyColumn<T> {
    fn from(column: Column<T, V>) -> Self {
        column.any()
    }
}

/// A column and the value to overwrite it with.
pub struct Assignment<T> {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    table: PhantomData<fn() -> T>,
}

/// Mutations of a column.
pub struct Change<T> {
    pub(crate) mutations: Vec<Mutation>,
    table: PhantomData<fn() -> T>,
}

impl<T, V> Column<T, V> {
    /// The column called `name` in the schema.
    pub const fn new(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }

    /// Name in the schema.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The column without its type.
    pub const fn any(self) -> AnyColumn<T> {
        AnyColumn { name: self.name, table: PhantomData }
    }

    fn condition(self, function: Function, value: Value) -> Where<T> {
        Where::condition(Condition { column: Cow::Borrowed(self.name), function, value })
    }

    fn change(self, mutator: Mutator, value: Value) -> Change<T> {
        let mutations = vec![Mutation { column: Cow::Borrowed(self.name), mutator, value }];
        Change { mutations, table: PhantomData }
    }
}

impl<T, V: ColumnType> Column<T, V> {
    /// Rows whose column is exactly this.
    pub fn eq(self, value: impl Into<V>) -> Where<T> {
        self.condition(Function::Eq, value.into().to_value())
    }

    /// Rows whose column is anything else.
    pub fn ne(self, value: impl Into<V>) -> Where<T> {
        self.condition(Function::Ne, value.into().to_value())
    }

    /// Rows whose column holds all elements (or pairs) of `value`.
    pub fn includes(self, value: impl Into<V>) -> Where<T> {
        self.condition(Function::Includes, value.into().to_value())
    }

    /// Rows whose column holds none of the elements (or pairs) of `value`.
    pub fn excludes(self, value: impl Into<V>) -> Where<T> {
        self.condition(Function::Excludes, value.into().to_value())
    }

    /// Overwrite the column with `value`.
    pub fn set(self, value: impl Into<V>) -> Assignment<T> {
        Assignment { name: self.name, value: value.into().to_value(), table: PhantomData }
    }
}

impl<T> Column<T, i64> {
    /// Rows whose column is below `value`.
    pub fn lt(self, value: i64) -> Where<T> {
        self.condition(Function::Lt, value.into())
    }

    /// Rows whose column is above `value`.
    pub fn gt(self, value: i64) -> Where<T> {
        self.condition(Function::Gt, value.into())
    }

    /// Add `value`, which may be negative, to the column.
    pub fn increment(self, value: i64) -> Change<T> {
        self.change(Mutator::Add, value.into())
    }
}

impl<T, A: AtomType + Ord> Column<T, BTreeSet<A>> {
    /// Add elements to the set; those it holds already are no error.
    pub fn insert(self, elements: impl IntoIterator<Item = impl Into<A>>) -> Change<T> {
        self.change(Mutator::Insert, set_of(elements))
    }

    /// Remove elements from the set; those it does not hold are no error.
    pub fn remove(self, elements: impl IntoIterator<Item = impl Into<A>>) -> Change<T> {
        self.change(Mutator::Delete, set_of(elements))
    }
}

fn set_of<A: AtomType>(elements: impl IntoIterator<Item = impl Into<A>>) -> Value {
    Value::set(elements.into_iter().map(|element| element.into().to_atom()))
}

impl<T, K: AtomType + Ord, V: AtomType> Column<T, BTreeMap<K, V>> {
    /// Write pairs, whether their key is there already or not: each key is removed and added again.
    pub fn put(self, pairs: impl IntoIterator<Item = (impl Into<K>, impl Into<V>)>) -> Change<T> {
        let pairs: BTreeMap<K, V> =
            pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let keys = Value::set(pairs.keys().map(K::to_atom));
        let mut change = self.change(Mutator::Delete, keys);
        change.mutations.extend(self.change(Mutator::Insert, pairs.to_value()).mutations);
        change
    }

    /// Add pairs whose key is not there yet.
    pub fn insert(self, pairs: impl IntoIterator<Item = (impl Into<K>, impl Into<V>)>) -> Change<T> {
        let pairs: BTreeMap<K, V> =
            pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.change(Mutator::Insert, pairs.to_value())
    }

    /// Remove the pairs with these keys.
    pub fn remove<Q>(self, keys: impl IntoIterator<Item = Q>) -> Change<T>
    where
        Q: Into<K>,
    {
        self.change(Mutator::Delete, set_of::<K>(keys))
    }

    /// Remove these pairs; where the key has another value it stays.
    pub fn remove_pairs(self, pairs: impl IntoIterator<Item = (impl Into<K>, impl Into<V>)>) -> Change<T> {
        let pairs: BTreeMap<K, V> =
            pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.change(Mutator::Delete, pairs.to_value())
    }

    /// Rows whose map holds this pair.
    pub fn has(self, key: impl Into<K>, value: impl Into<V>) -> Where<T> {
        let pair = Value::map([(key.into().to_atom(), value.into().to_atom())]);
        self.condition(Function::Includes, pair)
    }
}
