use std::fmt;

use crate::notation::{Atom, Value};
use crate::table::Shape;

/// An `<atomic-type>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AtomicType {
    /// Signed, 64 bits.
    Integer,
    /// A double.
    Real,
    /// True or false.
    Boolean,
    /// UTF-8.
    String,
    /// A row, or any other UUID.
    Uuid,
}

impl AtomicType {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Integer, Self::Real, Self::Boolean, Self::String, Self::Uuid];

    /// The name in a schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Uuid => "uuid",
        }
    }

    /// The atom that a column has when nobody wrote it (RFC 7047 section 5.2.1).
    pub fn default_atom(self) -> Atom {
        match self {
            Self::Integer => Atom::from(0),
            Self::Real => Atom::from(0.0),
            Self::Boolean => Atom::from(false),
            Self::String => Atom::from(""),
            Self::Uuid => Atom::from(uuid::Uuid::nil()),
        }
    }
}

impl fmt::Display for AtomicType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A `<base-type>`: an atomic type and what its atoms are held to.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseType {
    pub(super) atomic: AtomicType,
    pub(super) constraint: Constraint,
}

/// What the atoms of a [`BaseType`] are held to. Always one for its atomic type.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// Nothing.
    None,
    /// One of these.
    Enumeration(Value),
    /// Integers between these, both included.
    Integer {
        /// `minInteger`
        min: Option<i64>,
        /// `maxInteger`
        max: Option<i64>,
    },
    /// Reals between these, both included.
    Real {
        /// `minReal`
        min: Option<f64>,
        /// `maxReal`
        max: Option<f64>,
    },
    /// Strings of so many characters.
    Length {
        /// `minLength`
        min: u32,
        /// `maxLength`; `None` for any number.
        max: Option<u32>,
    },
    /// UUIDs of rows of a table. Only the server can tell whether they are.
    Reference {
        /// `refTable`
        table: String,
        /// `refType`
        kind: RefKind,
    },
}

/// What becomes of a reference when its row is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefKind {
    /// The row cannot be deleted.
    Strong,
    /// The reference goes with the row.
    Weak,
}

impl BaseType {
    /// An atomic type without constraint.
    pub fn new(atomic: AtomicType) -> Self {
        Self { atomic, constraint: Constraint::None }
    }

    /// Member `type`.
    pub fn atomic_type(&self) -> AtomicType {
        self.atomic
    }

    /// The other members.
    pub fn constraint(&self) -> &Constraint {
        &self.constraint
    }

    /// The table that it refers to, and how.
    pub fn reference(&self) -> Option<(&str, RefKind)> {
        match &self.constraint {
            Constraint::Reference { table, kind } => Some((table, *kind)),
            _ => None,
        }
    }
}

/// A `<type>`: an atom, a set, or a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    pub(super) key: BaseType,
    pub(super) value: Option<BaseType>,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
}

impl Type {
    /// Exactly one of `base`.
    pub fn one(base: BaseType) -> Self {
        Self { key: base, value: None, min: 1, max: Some(1) }
    }

    /// None or one of `base`.
    pub fn optional(base: BaseType) -> Self {
        Self { min: 0, ..Self::one(base) }
    }

    /// Any number of `base`.
    pub fn set(base: BaseType) -> Self {
        Self { min: 0, max: None, ..Self::one(base) }
    }

    /// Any number of pairs.
    pub fn map(key: BaseType, value: BaseType) -> Self {
        Self { value: Some(value), ..Self::set(key) }
    }

    /// The type of a map's keys, or of the atoms.
    pub fn key(&self) -> &BaseType {
        &self.key
    }

    /// The type of a map's values; `None` where it is no map.
    pub fn value(&self) -> Option<&BaseType> {
        self.value.as_ref()
    }

    /// How many elements it has at least: 0 or 1.
    pub fn min(&self) -> u32 {
        self.min
    }

    /// How many elements it has at most, 1 or more; `None` for any number.
    pub fn max(&self) -> Option<u32> {
        self.max
    }

    /// The cardinality, as far as it decides how a difference is applied. Maps of at most one pair are read as
    /// what replaces the whole.
    pub fn shape(&self) -> Shape {
        match (self.max, &self.value, self.min) {
            (Some(1), _, 0) => Shape::Optional,
            (Some(1), _, _) => Shape::One,
            (_, Some(_), _) => Shape::Map,
            (_, None, _) => Shape::Set,
        }
    }

    /// The value that a column has when nobody wrote it (RFC 7047 section 5.2.1).
    pub fn default_value(&self) -> Value {
        let key = self.key.atomic.default_atom();
        match (&self.value, self.min) {
            (None, 0) => Value::set([]),
            (None, _) => Value::Atom(key),
            (Some(_), 0) => Value::map([]),
            (Some(value), _) => Value::map([(key, value.atomic.default_atom())]),
        }
    }
}
