use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Ref;
use crate::notation::{Atom, Value};

/// How many atoms a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Exactly one (min 1, max 1).
    One,
    /// None or one (max 1).
    Optional,
    /// A set (max above 1).
    Set,
    /// A map (max above 1).
    Map,
}

/// A value of another type than the column was declared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeMismatch {
    /// What was declared.
    pub expected: &'static str,
}

/// A Rust type for an atom.
pub trait AtomType: Sized {
    /// What it is called in a mismatch.
    const EXPECTED: &'static str;

    /// `None` for an atom of another type.
    fn from_atom(atom: &Atom) -> Option<Self>;

    /// The atom.
    fn to_atom(&self) -> Atom;
}

/// A Rust type for a column's value.
pub trait ColumnType: Sized {
    /// Its cardinality.
    const SHAPE: Shape;

    /// Reads a value as the server sent it.
    fn from_value(value: &Value) -> Result<Self, TypeMismatch>;

    /// The value, for the server.
    fn to_value(&self) -> Value;
}

macro_rules! atom_type {
    ($type:ty, $expected:literal, $atom:pat => $from:expr, $this:ident => $to:expr) => {
        impl AtomType for $type {
            const EXPECTED: &'static str = $expected;

            fn from_atom(atom: &Atom) -> Option<Self> {
                match atom {
                    $atom => Some($from),
                    _ => None,
                }
            }

            fn to_atom(&self) -> Atom {
                let $this = self;
                $to
            }
        }
    };
}

atom_type!(bool, "a boolean", Atom::Boolean(value) => *value, this => Atom::Boolean(*this));
atom_type!(i64, "an integer", Atom::Integer(value) => *value, this => Atom::Integer(*this));
atom_type!(String, "a string", Atom::String(value) => value.to_string(), this => Atom::from(this.as_str()));
atom_type!(Uuid, "a UUID", Atom::Uuid(value) => *value, this => Atom::Uuid(*this));

impl AtomType for f64 {
    const EXPECTED: &'static str = "a real";

    /// A real without fraction comes over the wire as an integer.
    fn from_atom(atom: &Atom) -> Option<Self> {
        match atom {
            Atom::Real(value) => Some(*value),
            Atom::Integer(value) => Some(*value as Self),
            _ => None,
        }
    }

    fn to_atom(&self) -> Atom {
        Atom::from(*self)
    }
}

/// A real as element of a set or key of a map, for which it needs an order: numbers by size, then NaN.
#[derive(Clone, Copy, Debug, Default)]
pub struct Real(pub f64);

impl Ord for Real {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Real {}

impl From<f64> for Real {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

impl AtomType for Real {
    const EXPECTED: &'static str = f64::EXPECTED;

    fn from_atom(atom: &Atom) -> Option<Self> {
        f64::from_atom(atom).map(Self)
    }

    fn to_atom(&self) -> Atom {
        self.0.to_atom()
    }
}

impl<T> AtomType for Ref<T> {
    const EXPECTED: &'static str = "a UUID";

    fn from_atom(atom: &Atom) -> Option<Self> {
        Uuid::from_atom(atom).map(Self::from)
    }

    fn to_atom(&self) -> Atom {
        Atom::Uuid(self.uuid())
    }
}

impl<A: AtomType> ColumnType for A {
    const SHAPE: Shape = Shape::One;

    fn from_value(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::Atom(atom) => A::from_atom(atom).ok_or(TypeMismatch { expected: A::EXPECTED }),
            _ => Err(TypeMismatch { expected: A::EXPECTED }),
        }
    }

    fn to_value(&self) -> Value {
        Value::Atom(self.to_atom())
    }
}

impl<A: AtomType> ColumnType for Option<A> {
    const SHAPE: Shape = Shape::Optional;

    fn from_value(value: &Value) -> Result<Self, TypeMismatch> {
        match value {
            Value::Set(atoms) if atoms.is_empty() => Ok(None),
            value => A::from_value(value).map(Some),
        }
    }

    fn to_value(&self) -> Value {
        Value::set(self.iter().map(A::to_atom))
    }
}

impl<A: AtomType + Ord> ColumnType for BTreeSet<A> {
    const SHAPE: Shape = Shape::Set;

    fn from_value(value: &Value) -> Result<Self, TypeMismatch> {
        let mismatch = TypeMismatch { expected: "a set" };
        if matches!(value, Value::Map(pairs) if !pairs.is_empty()) {
            return Err(mismatch);
        }
        value.atoms().iter().map(|atom| A::from_atom(atom).ok_or(mismatch)).collect()
    }

    fn to_value(&self) -> Value {
        Value::set(self.iter().map(A::to_atom))
    }
}

impl<K: AtomType + Ord, V: AtomType> ColumnType for BTreeMap<K, V> {
    const SHAPE: Shape = Shape::Map;

    fn from_value(value: &Value) -> Result<Self, TypeMismatch> {
        let mismatch = TypeMismatch { expected: "a map" };
        if !value.atoms().is_empty() {
            return Err(mismatch);
        }
        let pairs = value.pairs().iter();
        pairs.map(|(key, value)| K::from_atom(key).zip(V::from_atom(value)).ok_or(mismatch)).collect()
    }

    fn to_value(&self) -> Value {
        Value::map(self.iter().map(|(key, value)| (key.to_atom(), value.to_atom())))
    }
}
